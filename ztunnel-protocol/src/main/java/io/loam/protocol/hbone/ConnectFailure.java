package io.loam.protocol.hbone;

import io.netty.handler.codec.http2.Http2Error;
import org.jspecify.annotations.Nullable;

/// Why a CONNECT did not become a stream.
public sealed interface ConnectFailure {
    /// For logs: what happened, with the peer's own words where it has any.
    String reason();

    /// Whether the peer is known not to have acted on the request, so that the same request may go out again on
    /// another tunnel (RFC 9113, 8.7).
    default boolean mayRetry() {
        return false;
    }

    /// The peer answered, and not with 200. Every other status is a refusal, other 2xx included.
    record RefusedStatus(int status) implements ConnectFailure {
        @Override
        public String reason() {
            return switch (status) { // wire reference, 2.2
                case 401, 403 ->
                    "peer answered " + status + ": a policy over there does not allow this; the peer's log names it";
                default -> "peer answered " + status;
            };
        }
    }

    /// The peer reset the stream instead of answering.
    record ResetBeforeAnswer(long errorCode) implements ConnectFailure {
        @Override
        public String reason() {
            return "peer reset the stream before it answered (" + errorName(errorCode) + ")";
        }

        @Override
        public boolean mayRetry() {
            return errorCode == Http2Error.REFUSED_STREAM.code();
        }
    }

    /// The peer's answer cannot be understood: no status, or an end before it.
    record MalformedAnswer(String detail) implements ConnectFailure {
        @Override
        public String reason() {
            return "peer's answer is malformed: " + detail;
        }
    }

    /// The tunnel drains, or the peer's GOAWAY says that it will not look at this stream.
    record TunnelDraining() implements ConnectFailure {
        @Override
        public String reason() {
            return "tunnel is draining";
        }

        @Override
        public boolean mayRetry() {
            return true;
        }
    }

    /// The tunnel carries as many streams as the peer allows.
    record TunnelFull(int maxStreams) implements ConnectFailure {
        @Override
        public String reason() {
            return "tunnel already carries " + maxStreams + " streams";
        }

        @Override
        public boolean mayRetry() {
            return true;
        }
    }

    /// The connection ended before the answer. Whether the peer acted on the request is not known.
    record TunnelLost(@Nullable Throwable cause) implements ConnectFailure {
        @Override
        public String reason() {
            return cause == null ? "tunnel closed before the answer" : "tunnel lost before the answer: " + cause;
        }
    }

    /// The name of an HTTP/2 error code, or its number when it has none (RFC 9113, 7).
    static String errorName(long errorCode) {
        Http2Error known = Http2Error.valueOf(errorCode);
        return known == null ? "error " + errorCode : known.name();
    }
}
