package io.loam.protocol.hbone;

import org.slf4j.LoggerFactory;

/// Decides about the CONNECT requests of one inbound tunnel. Called on the tunnel's event loop.
public interface ConnectHandler {
    /// A well-formed CONNECT arrived. The verdict may be given now or later, by {@link PendingStream#accept} or
    /// {@link PendingStream#refuse}, on the same loop. Until then the peer's bytes wait inside the flow-control
    /// window.
    void onConnect(ConnectRequest request, PendingStream stream);

    /// {@link #onConnect}, or what was to be done when a peer gives up, threw. The stream has been reset with
    /// INTERNAL_ERROR if it was still open; the tunnel and its other streams go on (hazards, rule 7).
    default void onBug(Throwable cause) {
        LoggerFactory.getLogger(ConnectHandler.class).error("stream ended by a bug", cause);
    }
}
