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
        name = "log-level",
        mixinStandardHelpOptions = true,
        description = "Show or change what the agent of a node logs.")
final class LogLevelCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Parameters(index = "0", paramLabel = "NODE", description = "Whose agent.")
    private String node = "";

    @Parameters(
            index = "1",
            arity = "0..1",
            paramLabel = "LEVEL",
            description = "error, warn, info, debug, trace, or LOGGER:LEVEL; several with commas (default: show it).")
    private Optional<String> level = Optional.empty();

    @Option(names = "--for", paramLabel = "TIME", description = "Then go back to what it was: 90s, 10m, 2h.")
    private Optional<String> time = Optional.empty();

    @Option(names = "--reset", description = "Back to the level of the agent's start.")
    private boolean reset;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    LogLevelCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        Map<String, String> settings = new LinkedHashMap<>();
        level.ifPresent(value -> settings.put("level", value));
        time.ifPresent(value -> settings.put("for", value));
        if (reset) {
            settings.put("reset", "");
        }
        spec.commandLine().getOut().print(lab.in(labs).tellAgent(node, "logging", settings));
        spec.commandLine().getOut().flush();
        return 0;
    }
}
