package io.loam.model.workload;

/// A workload that wants its bytes wrapped after the mesh's tunnel ended, as a waypoint behind a node agent
/// does.
///
/// @param port where the wrapped bytes go; 0 keeps the port that was asked for
public record ApplicationTunnel(Protocol protocol, int port) {
    public enum Protocol {
        NONE,
        PROXY
    }
}
