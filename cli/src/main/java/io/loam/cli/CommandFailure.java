package io.loam.cli;

import io.loam.cli.lab.LabException;
import picocli.CommandLine;
import picocli.CommandLine.IExecutionExceptionHandler;
import picocli.CommandLine.ParseResult;

/// What the user sees when a command fails: one sentence for what can happen, a stack trace only for a bug of
/// ours.
final class CommandFailure implements IExecutionExceptionHandler {
    @Override
    public int handleExecutionException(Exception failure, CommandLine command, ParseResult parsed) {
        if (failure instanceof LabException expected) {
            command.getErr().println("loam: " + expected.getMessage());
            return expected.exitCode();
        }
        command.getErr().println("loam: bug in " + command.getCommandName() + ", please report:");
        failure.printStackTrace(command.getErr());
        return CommandLine.ExitCode.SOFTWARE;
    }
}
