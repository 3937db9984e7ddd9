package io.loam.protocol.tls;

import java.util.Optional;

/// Which certificates count no more although they are still valid (wire reference, 2.1; hazard I6). Asked
/// in each handshake, and watches the tunnels that came of it. Thread-safe.
public interface Revocations {
    /// Nothing is ever revoked, and nothing is watched.
    Revocations NONE = new Revocations() {
        @Override
        public Optional<String> refusal(PeerChain peer, PeerRole role) {
            return Optional.empty();
        }

        @Override
        public Runnable watch(PeerChain peer, PeerRole role, Runnable cut) {
            return () -> {};
        }
    };

    /// What the peer is of a connection.
    enum PeerRole {
        /// It called us: its certificate is looked at by the inbound side.
        CLIENT,
        /// We called it.
        SERVER
    }

    /// In a handshake, on an event loop: takes no longer than a signature check.
    ///
    /// @return why the peer is refused, with serial number and issuer; empty if none of its certificates
    ///     is revoked
    Optional<String> refusal(PeerChain peer, PeerRole role);

    /// Calls `cut` once, on any thread, as soon as one of the peer's certificates is revoked; at once if
    /// that happened since the handshake.
    ///
    /// @return ends the watch; to be run when the connection is closed, from any thread
    Runnable watch(PeerChain peer, PeerRole role, Runnable cut);
}
