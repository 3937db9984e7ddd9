package io.loam.lab.command;

import java.io.IOException;

/// A program ended with something other than 0; the message has its name and its last words.
public final class CommandFailedException extends IOException {
    private static final long serialVersionUID = 1;

    private final int exitCode;

    public CommandFailedException(String program, int exitCode, String output) {
        super(program + " ended with " + exitCode + (output.isBlank() ? "" : ": " + output.strip()));
        this.exitCode = exitCode;
    }

    public int exitCode() {
        return exitCode;
    }
}
