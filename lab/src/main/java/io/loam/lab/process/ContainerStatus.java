package io.loam.lab.process;

/// A container at one moment.
///
/// @param started ran at least once and passed its startup probe if it has one
/// @param restarts starts after the first
public record ContainerStatus(String name, State state, boolean started, boolean ready, int restarts) {
    public sealed interface State {}

    /// @param reason why it does not run
    public record Waiting(String reason) implements State {}

    public record Running(long pid) implements State {}

    /// Will not be started again.
    ///
    /// @param exitCode 128 + signal where a signal ended it
    public record Ended(int exitCode) implements State {}
}
