package io.loam.cli.lab;

/// The lab cannot do what was asked. The message is one sentence for the user and says what to do where that is
/// known.
public final class LabException extends Exception {
    private static final long serialVersionUID = 1;

    private final int exitCode;

    public LabException(String message) {
        this(message, 1);
    }

    /// @param exitCode 2 where the machine or the call is at fault, 1 otherwise
    public LabException(String message, int exitCode) {
        super(message);
        this.exitCode = exitCode;
    }

    public int exitCode() {
        return exitCode;
    }
}
