package io.loam.cli;

import io.loam.cli.lab.LabException;
import io.loam.cli.lab.RunningLab;
import java.util.ArrayList;
import java.util.List;
import picocli.CommandLine.Parameters;

/// Whose agents a command is about. Mixed into every command that does something with one after the other.
final class NodesParameter {
    @Parameters(arity = "0..*", paramLabel = "NODE", description = "Whose agents (default: all, one after the other).")
    private List<String> named = new ArrayList<>();

    /// The nodes that were named, or all of the lab.
    List<String> in(RunningLab lab) throws LabException {
        if (!named.isEmpty()) {
            return List.copyOf(named);
        }
        var all = new ArrayList<String>();
        lab.agents("connections").fieldNames().forEachRemaining(all::add);
        return all;
    }
}
