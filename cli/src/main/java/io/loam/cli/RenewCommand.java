package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "renew",
        mixinStandardHelpOptions = true,
        description = "Have agents renew all certificates now, not at half of their life. Open connections go on.")
final class RenewCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Mixin
    private NodesParameter nodes = new NodesParameter();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    RenewCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var running = lab.in(labs);
        for (var node : nodes.in(running)) {
            spec.commandLine().getOut().print(node + ": " + running.tellAgent(node, "renew_certificates", Map.of()));
            spec.commandLine().getOut().flush();
        }
        return 0;
    }
}
