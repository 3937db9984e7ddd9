package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.LabProcess;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "down",
        mixinStandardHelpOptions = true,
        description = "Stop a lab and leave no namespace, link, rule, mount or process behind, also after a crash.")
final class DownCommand implements Callable<Integer> {
    private final LabDirectory labs;
    private final LabProcess process;

    @Parameters(arity = "0..1", paramLabel = "NAME", description = "Which lab (default: the only one, else 'default').")
    private Optional<String> name = Optional.empty();

    @Option(names = "--all", description = "Every lab of this machine.")
    private boolean all;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    DownCommand(LabDirectory labs, LabProcess process) {
        this.labs = labs;
        this.process = process;
    }

    @Override
    public Integer call() throws LabException {
        var worst = 0;
        for (var lab : meant()) {
            var code = process.down(lab);
            if (code == 0) {
                spec.commandLine().getOut().println("lab '" + lab + "' is down");
            } else {
                spec.commandLine().getErr().println("loam: lab '" + lab + "' is not entirely gone: see above");
            }
            worst = Math.max(worst, code);
        }
        return worst;
    }

    private List<String> meant() throws LabException {
        if (name.isPresent() && all) {
            throw new LabException("a name or --all, not both", 2);
        }
        if (name.isPresent()) {
            return List.of(LabDirectory.checkedName(name.get()));
        }
        var known = labs.names();
        if (all) {
            return known;
        }
        if (known.size() > 1 && !known.contains("default")) {
            throw new LabException("several labs are there: say which, or --all: " + String.join(" ", known), 2);
        }
        return List.of(known.size() == 1 ? known.getFirst() : "default");
    }
}
