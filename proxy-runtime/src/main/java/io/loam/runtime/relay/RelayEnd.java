package io.loam.runtime.relay;

/// How a relayed connection ended.
public sealed interface RelayEnd {
    /// For logs: one clause.
    String reason();

    /// Both sides ended their direction in order, and every byte was handed on.
    record BothFinished() implements RelayEnd {
        @Override
        public String reason() {
            return "both sides finished";
        }
    }

    /// One side broke the connection off; the other was told by a reset.
    ///
    /// @param by who broke it off
    /// @param detail error text of the socket, or the name of the stream's error code
    record Reset(Side by, String detail) implements RelayEnd {
        @Override
        public String reason() {
            return switch (by) {
                case APPLICATION -> "reset by the application: " + detail;
                case PEER -> "reset by the peer: " + detail;
            };
        }
    }

    /// We ended the tunnel under it, since the peer's certificate is revoked (hazard I6).
    record PeerRevoked() implements RelayEnd {
        @Override
        public String reason() {
            return "the peer's certificate is revoked";
        }
    }

    /// We broke it off, for example because a policy changed or a drain ran out of time.
    record Aborted(String reason) implements RelayEnd {}

    /// An error of our own ended it; both sides were told by a reset.
    record Bug(Throwable cause) implements RelayEnd {
        @Override
        public String reason() {
            return "bug: " + cause;
        }
    }

    /// The two ends of a relay.
    enum Side {
        /// The socket given first.
        APPLICATION,
        /// The tunnel's stream, or the socket given second.
        PEER
    }
}
