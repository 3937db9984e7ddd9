package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "access-log",
        mixinStandardHelpOptions = true,
        description = "Show or change which connections the agent of a node writes to its access log.")
final class AccessLogCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Parameters(index = "0", paramLabel = "NODE", description = "Whose agent.")
    private String node = "";

    @Option(names = "--format", paramLabel = "text|json")
    private Optional<String> format = Optional.empty();

    @Option(names = "--only", paramLabel = "errors|all", description = "Only connections that failed, or all.")
    private Optional<String> only = Optional.empty();

    @Option(names = "--namespace", paramLabel = "NAMES", description = "With one side in these; '' for all.")
    private Optional<String> namespace = Optional.empty();

    @Option(names = "--workload", paramLabel = "NAMES", description = "With one side of these names; '' for all.")
    private Optional<String> workload = Optional.empty();

    @Option(names = "--rate", paramLabel = "LINES", description = "At most so many lines per second; 0: no limit.")
    private Optional<String> rate = Optional.empty();

    @Option(names = "--reset", description = "Back to the settings of the agent's start.")
    private boolean reset;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    AccessLogCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        Map<String, String> settings = new LinkedHashMap<>();
        format.ifPresent(value -> settings.put("format", value));
        only.ifPresent(value -> settings.put("only", value));
        namespace.ifPresent(value -> settings.put("namespace", value));
        workload.ifPresent(value -> settings.put("workload", value));
        rate.ifPresent(value -> settings.put("rate", value));
        if (reset) {
            settings.put("reset", "");
        }
        spec.commandLine().getOut().print(lab.in(labs).tellAgent(node, "access_log", settings));
        spec.commandLine().getOut().flush();
        return 0;
    }
}
