package io.loam.agent.connections;

import io.loam.model.failure.ErrorCode;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.DryRunFinding;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import io.loam.runtime.accesslog.AccessLogEntry;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.accesslog.AccessLogEntry.Kind;
import io.loam.runtime.metrics.FailureFlag;
import io.loam.runtime.metrics.Reporter;
import io.loam.runtime.metrics.TrafficLabels;
import io.loam.runtime.metrics.TrafficMetrics;
import io.loam.runtime.relay.RelayEnd;
import io.netty.channel.Channel;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What is learned about one connection on its way, and the one place that reports how it ended: one access-log line,
/// one set of counters. Whoever learns something sets it; exactly one of the ending methods counts, the first one
/// called.
///
/// Belongs to the connection's event loop.
public final class ConnectionReport {
    private static final Logger log = LoggerFactory.getLogger(ConnectionReport.class);

    private final Telemetry telemetry;
    private final Direction direction;
    private final InetSocketAddress sourceAddress;
    private final Instant began;
    private @Nullable Workload source;
    private @Nullable SpiffeId sourceIdentity;
    private @Nullable InetSocketAddress destinationAddress;
    private @Nullable String tunnelTarget;
    private @Nullable Channel tunnel;
    private @Nullable Service service;
    private @Nullable Workload destination;
    private @Nullable SpiffeId destinationIdentity;
    private @Nullable String insteadOf;
    private @Nullable String dryRun;
    private TrafficMetrics.@Nullable OpenConnection counters;
    private boolean ended;

    public ConnectionReport(Telemetry telemetry, Direction direction, InetSocketAddress sourceAddress) {
        this.telemetry = telemetry;
        this.direction = direction;
        this.sourceAddress = sourceAddress;
        this.began = telemetry.clock().now();
    }

    public void source(@Nullable Workload workload, @Nullable SpiffeId provedIdentity) {
        source = workload;
        sourceIdentity = provedIdentity;
    }

    /// @param address of the socket, port 15008 for a tunnel
    public void destinationAddress(InetSocketAddress address) {
        destinationAddress = address;
    }

    /// @param authority what the tunnel's stream is to
    public void tunnelTarget(String authority) {
        tunnelTarget = authority;
    }

    /// @param channel of the tunnel that carries it
    public void carriedBy(Channel channel) {
        tunnel = channel;
    }

    public void destination(@Nullable Workload workload, @Nullable Service service, @Nullable SpiffeId identity) {
        destination = workload;
        this.service = service;
        destinationIdentity = identity;
    }

    /// It was tried there first, and whoever is there is somebody else (hazard I12).
    ///
    /// @param problem what was wrong there
    public void insteadOf(InetSocketAddress peer, String problem) {
        telemetry.metrics().anotherPeer(true);
        insteadOf = peer.getAddress().getHostAddress() + " port " + peer.getPort() + ": " + problem;
    }

    /// As {@link #insteadOf}, and there is nobody else to try.
    public void nobodyElse() {
        telemetry.metrics().anotherPeer(false);
    }

    /// What dry-run policies would have done: counted now, logged with the end. Once per connection, with its verdict.
    public void dryRun(List<DryRunFinding> findings) {
        if (!findings.isEmpty()) {
            findings.forEach(telemetry.metrics()::dryRun);
            dryRun = findings.stream().map(ConnectionReport::describe).collect(Collectors.joining(", "));
        }
    }

    private static String describe(DryRunFinding finding) {
        return switch (finding) {
            case DryRunFinding.WouldDeny(var policy, var rule) -> "would be denied by " + policy + " rule " + rule;
            case DryRunFinding.WouldAllow(var policy, var rule) -> "would be allowed by " + policy + " rule " + rule;
            case DryRunFinding.NoneWouldAllow(var policies) -> "none of " + policies + " allow policies would match";
        };
    }

    public InetSocketAddress sourceAddress() {
        return sourceAddress;
    }

    public @Nullable InetSocketAddress destinationAddress() {
        return destinationAddress;
    }

    public @Nullable String tunnelTarget() {
        return tunnelTarget;
    }

    // For who looks at open connections from another thread; what was learned a moment ago may not be seen yet.

    public Direction direction() {
        return direction;
    }

    public Instant began() {
        return began;
    }

    /// The tunnel that carries it, its TLS included; null outside of the mesh, and until there is one.
    public @Nullable Channel tunnel() {
        return tunnel;
    }

    public @Nullable Workload sourceWorkload() {
        return source;
    }

    public @Nullable SpiffeId sourceIdentity() {
        return sourceIdentity;
    }

    public @Nullable Service service() {
        return service;
    }

    public @Nullable Workload destinationWorkload() {
        return destination;
    }

    public @Nullable SpiffeId destinationIdentity() {
        return destinationIdentity;
    }

    /// Bytes may flow from now on.
    public void opened() {
        counters = telemetry.metrics().open(labels());
        log.debug("connection opened src.addr={} dst.addr={}", sourceAddress, destinationAddress);
    }

    /// Publishes the counts while the connection lives.
    public void progress(long fromApplication, long toApplication) {
        var open = counters;
        if (open != null) {
            switch (direction) {
                case OUTBOUND -> open.publishBytes(fromApplication, toApplication);
                case INBOUND -> open.publishBytes(toApplication, fromApplication);
            }
        }
    }

    /// The relay has ended.
    public void finished(RelayEnd end, @Nullable ErrorCode abortedFor, long fromApplication, long toApplication) {
        progress(fromApplication, toApplication);
        switch (end) {
            case RelayEnd.BothFinished _ ->
                end(Kind.COMPLETE, null, null, FailureFlag.NONE, fromApplication, toApplication);
            case RelayEnd.Reset reset ->
                end(
                        Kind.FAILED,
                        ErrorCode.RESET.name(),
                        reset.reason(),
                        ErrorFlags.of(ErrorCode.RESET),
                        fromApplication,
                        toApplication);
            case RelayEnd.PeerRevoked revoked ->
                end(
                        Kind.FAILED,
                        ErrorCode.CERT_REVOKED.name(),
                        revoked.reason(),
                        ErrorFlags.of(ErrorCode.CERT_REVOKED),
                        fromApplication,
                        toApplication);
            case RelayEnd.Aborted(var reason) -> {
                var code = abortedFor == null ? ErrorCode.BUG : abortedFor;
                end(Kind.FAILED, code.name(), reason, ErrorFlags.of(code), fromApplication, toApplication);
            }
            case RelayEnd.Bug(var cause) -> bug(cause, fromApplication, toApplication);
        }
    }

    /// The connection never carried a byte.
    public void failed(ErrorCode code, String error) {
        // Where nobody is known on either side: ztunnel's "early rejection".
        boolean early = source == null && sourceIdentity == null && destination == null;
        end(early ? Kind.REFUSED : Kind.FAILED, code.name(), error, ErrorFlags.of(code), 0, 0);
    }

    /// An error of our own (hazards, rule 7). Counted and logged even if the connection was reported before: then
    /// the error is in what was to be done at its end.
    public void bug(Throwable cause) {
        bug(cause, 0, 0);
    }

    private void bug(Throwable cause, long fromApplication, long toApplication) {
        log.error("connection ended by a bug src.addr={} dst.addr={}", sourceAddress, destinationAddress, cause);
        telemetry.metrics().bug();
        end(
                Kind.FAILED,
                ErrorCode.BUG.name(),
                String.valueOf(cause),
                ErrorFlags.of(ErrorCode.BUG),
                fromApplication,
                toApplication);
    }

    private void end(
            Kind kind,
            @Nullable String code,
            @Nullable String error,
            FailureFlag flag,
            long fromApplication,
            long toApplication) {
        if (ended) {
            return;
        }
        ended = true;
        var open = counters;
        if (open != null) {
            open.close(flag);
        } else {
            telemetry.metrics().refused(labels(), flag);
        }
        var now = telemetry.clock().now();
        telemetry
                .accessLog()
                .log(new AccessLogEntry(
                        kind,
                        now,
                        direction,
                        sourceAddress,
                        source,
                        sourceIdentity,
                        destinationAddress,
                        tunnelTarget,
                        service == null ? null : service.hostname(),
                        destination,
                        destinationIdentity,
                        fromApplication,
                        toApplication,
                        kind == Kind.REFUSED ? null : Duration.between(began, now),
                        error,
                        code,
                        insteadOf,
                        dryRun));
    }

    private TrafficLabels labels() {
        var reporter = switch (direction) {
            case OUTBOUND -> Reporter.SOURCE;
            case INBOUND -> Reporter.DESTINATION;
        };
        boolean mutualTls = sourceIdentity != null && tunnelTarget != null;
        return new TrafficLabels(
                reporter, source, destination, service, sourceIdentity, destinationIdentity, mutualTls);
    }
}
