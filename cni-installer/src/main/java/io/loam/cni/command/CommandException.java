package io.loam.cni.command;

import java.io.IOException;
import java.util.List;

/// A program that did not do what it was asked, with what it said about it.
public final class CommandException extends IOException {
    private final String stderr;

    public CommandException(List<String> arguments, String outcome, String stderr) {
        super(String.join(" ", arguments) + ": " + outcome + (stderr.isBlank() ? "" : ": " + stderr.strip()));
        this.stderr = stderr;
    }

    public CommandException(List<String> arguments, IOException cause) {
        super(String.join(" ", arguments) + ": " + cause.getMessage(), cause);
        this.stderr = "";
    }

    public String stderr() {
        return stderr;
    }
}
