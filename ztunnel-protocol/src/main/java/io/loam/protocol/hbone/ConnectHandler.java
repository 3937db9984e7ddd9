package io.loam.protocol.hbone;

/// Decides about the CONNECT requests of one inbound tunnel. Called on the tunnel's event loop.
public interface ConnectHandler {
    /// A well-formed CONNECT arrived. The verdict may be given now or later, by {@link PendingStream#accept} or
    /// {@link PendingStream#refuse}, on the same loop. Until then the peer's bytes wait inside the flow-control
    /// window.
    void onConnect(ConnectRequest request, PendingStream stream);
}
