package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

/// One node after the other: an agent that does not come up ends it, with its predecessor still at work.
@Command(
        name = "upgrade",
        mixinStandardHelpOptions = true,
        description = "Replace the agents of nodes. No new connection is refused; open ones go on in the agent that was"
                + " replaced until its drain deadline.")
final class UpgradeCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Mixin
    private NodesParameter nodes = new NodesParameter();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    UpgradeCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var running = lab.in(labs);
        for (var node : nodes.in(running)) {
            var done = running.upgradeAgent(node);
            var former = done.path("former");
            spec.commandLine()
                    .getOut()
                    .printf(
                            "%s: agent %d serves after %.1f s, %s%n",
                            node,
                            done.path("agent").asLong(),
                            done.path("millis").asLong() / 1000.0,
                            former.isMissingNode() ? "there was none before" : "agent " + former.asLong() + " drains");
            spec.commandLine().getOut().flush();
        }
        return 0;
    }
}
