package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.ConnectFailure;
import io.loam.protocol.tls.PeerRefusedException;

/// Why the pool could not give a stream.
public sealed interface OpenFailure {
    /// For logs: one clause, with the cause where there is one.
    String reason();

    /// No TCP connection to the peer.
    record DialFailed(Throwable cause) implements OpenFailure {
        @Override
        public String reason() {
            return "dial failed: " + cause;
        }
    }

    /// No socket for a new tunnel: the workload or the node holds all it may.
    record SocketLimit(SocketLimitException refusal) implements OpenFailure {
        @Override
        public String reason() {
            return "no socket for a tunnel: " + refusal.getMessage();
        }
    }

    /// No certificate to present.
    record NoCertificate(Throwable cause) implements OpenFailure {
        @Override
        public String reason() {
            return "no certificate for the source: " + cause;
        }
    }

    /// One of the two did not believe the other's certificate, or they found no common parameters.
    record TlsRefused(Throwable cause) implements OpenFailure {
        @Override
        public String reason() {
            return "TLS refused: " + PeerRefusedException.describe(cause);
        }
    }

    /// Somebody is there and proved who it is, but is not whom the tunnel was to: addresses are reused (hazard I12).
    record AnotherPeer(Throwable cause) implements OpenFailure {
        @Override
        public String reason() {
            return "TLS refused: " + PeerRefusedException.describe(cause);
        }
    }

    /// TCP connect, TLS and the peer's first SETTINGS together took too long.
    record TimedOut(String during, long timeoutMillis) implements OpenFailure {
        @Override
        public String reason() {
            return during + " not done after " + timeoutMillis + " ms";
        }
    }

    /// TLS worked, but what followed was no usable HTTP/2 connection.
    record SetupFailed(String detail) implements OpenFailure {
        @Override
        public String reason() {
            return "HTTP/2 setup failed: " + detail;
        }
    }

    /// Too many connections already wait for a tunnel to this peer.
    record TooManyWaiting(int limit) implements OpenFailure {
        @Override
        public String reason() {
            return "already " + limit + " connections wait for a tunnel to this peer";
        }
    }

    /// The pool was closed: its workload left the mesh.
    record PoolClosed() implements OpenFailure {
        @Override
        public String reason() {
            return "tunnel pool is closed";
        }
    }

    /// There was a tunnel, but the CONNECT in it failed.
    record ConnectFailed(ConnectFailure failure) implements OpenFailure {
        @Override
        public String reason() {
            return failure.reason();
        }
    }
}
