package io.loam.cni.command;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// Runs a program to its end. Blocking; safe for all threads.
@FunctionalInterface
public interface Commands {
    /// @param arguments the program and its arguments; no shell in between
    /// @param input written to its standard input
    /// @return its standard output
    /// @throws CommandException if it cannot be started, fails, or does not end in time
    String run(List<String> arguments, String input) throws CommandException;

    default String run(List<String> arguments) throws CommandException {
        return run(arguments, "");
    }

    /// The same commands inside a network namespace.
    ///
    /// @param netns for example `/run/netns/name`
    default Commands inside(Path netns) {
        return (arguments, input) -> {
            var nested = new ArrayList<String>(arguments.size() + 2);
            nested.add("nsenter");
            nested.add("--net=" + netns);
            nested.addAll(arguments);
            return run(nested, input);
        };
    }
}
