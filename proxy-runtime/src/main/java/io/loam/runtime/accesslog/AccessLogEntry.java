package io.loam.runtime.accesslog;

import io.loam.model.identity.SpiffeId;
import io.loam.model.workload.Workload;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;

/// What one connection leaves behind. Built on its event loop, written by the log's thread.
///
/// @param kind severity and message of the line
/// @param tunnelTarget `:authority` of the tunnel stream, or null
/// @param service host name of the service that was called, or null
/// @param bytesSent to the peer, as seen from this proxy's own application
/// @param error what went wrong, or null
/// @param code short, stable name of the reason, or null
/// @param insteadOf where it was tried first and what was wrong there, or null
/// @param dryRun what dry-run policies would have done, or null; nothing of it was enforced
public record AccessLogEntry(
        Kind kind,
        Instant time,
        Direction direction,
        @Nullable InetSocketAddress sourceAddress,
        @Nullable Workload source,
        @Nullable SpiffeId sourceIdentity,
        @Nullable InetSocketAddress destinationAddress,
        @Nullable String tunnelTarget,
        @Nullable String service,
        @Nullable Workload destination,
        @Nullable SpiffeId destinationIdentity,
        long bytesSent,
        long bytesReceived,
        @Nullable Duration duration,
        @Nullable String error,
        @Nullable String code,
        @Nullable String insteadOf,
        @Nullable String dryRun) {
    public enum Kind {
        COMPLETE("info", "connection complete"),
        FAILED("error", "connection complete"),
        /// Refused before it was known who talks to whom.
        REFUSED("warn", "connection failed");

        final String level;
        final String message;

        Kind(String level, String message) {
            this.level = level;
            this.message = message;
        }
    }

    public enum Direction {
        INBOUND("inbound"),
        OUTBOUND("outbound");

        final String label;

        Direction(String label) {
            this.label = label;
        }
    }
}
