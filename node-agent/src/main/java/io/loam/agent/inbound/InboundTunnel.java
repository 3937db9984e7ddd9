package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorCode;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.connections.RunningRelay;
import io.loam.agent.pod.LocalPod;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.InboundTarget;
import io.loam.model.decision.ServiceAttribution;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.ConnectHandler;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.PendingStream;
import io.loam.protocol.header.Forwarded;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.Relay;
import io.loam.runtime.relay.RelayEnd;
import io.netty.channel.ChannelFuture;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The CONNECT requests of one tunnel whose peer is proved (wire reference, 3.3). Each goes through target, verdict,
/// dial and answer, in this order: 200 is said when the application has taken the connection. Belongs to the tunnel's
/// event loop.
final class InboundTunnel implements ConnectHandler {
    private static final Logger log = LoggerFactory.getLogger(InboundTunnel.class);

    private static final int UNAUTHORIZED = 401;
    private static final int UNAVAILABLE = 503;

    private final LocalPod pod;
    private final InboundServices services;
    private final EpollSocketChannel channel;
    private final SpiffeId peer;
    private final InetSocketAddress accepted;
    private final InetSocketAddress source;

    /// @param peer from the verified certificate
    InboundTunnel(LocalPod pod, InboundServices services, EpollSocketChannel channel, SpiffeId peer) {
        this.pod = pod;
        this.services = services;
        this.channel = channel;
        this.peer = peer;
        this.accepted = OriginalAddress.folded(channel.localAddress());
        this.source = OriginalAddress.folded(channel.remoteAddress());
    }

    @Override
    public void onConnect(ConnectRequest request, PendingStream stream) {
        var report = new ConnectionReport(services.telemetry(), Direction.INBOUND, source);
        report.destinationAddress(accepted);
        report.tunnelTarget(request.authority());
        try {
            resolve(request, stream, report);
        } catch (RuntimeException e) { // a bug ends this stream and nothing else
            report.bug(e);
            stream.refuse(UNAVAILABLE);
        }
    }

    @Override
    public void onBug(Throwable cause) {
        log.error("stream ended by a bug peer={}", peer, cause);
        services.telemetry().metrics().bug();
    }

    private void resolve(ConnectRequest request, PendingStream stream, ConnectionReport report) {
        var mesh = services.mesh().current();
        var local = pod.workload(mesh);
        report.source(sourceWorkload(mesh), peer);
        if (local == null) {
            report.failed(ErrorCode.UNKNOWN_SOURCE, "local workload " + pod + " is not known any more");
            stream.refuse(UNAVAILABLE);
            return;
        }
        switch (InboundTarget.resolve(mesh, local, accepted, request.authority())) {
            case InboundTarget.Rejected(var status, var reason, var detail) -> {
                report.destination(local, null, local.identity());
                report.failed(ErrorCode.of(reason), detail);
                stream.refuse(status);
            }
            case InboundTarget.Accepted to -> {
                var forwarded = request.forwarded();
                var host = forwarded == null
                        ? null
                        : Forwarded.parse(forwarded).map(Forwarded::host).orElse(null);
                var service = to.service() != null
                        ? to.service()
                        : ServiceAttribution.of(mesh, local, host, to.target().getPort());
                report.destination(local, service, local.identity());
                var attempt = new Attempt(to, stream, report);
                attempt.guarded(attempt::begin);
            }
        }
    }

    /// By address, and only if that workload is who the certificate names: addresses are reused (hazards I12, I13).
    private @Nullable Workload sourceWorkload(MeshSnapshot mesh) {
        var workload = mesh.workloadByAddress(new NetworkAddress(services.network(), source.getAddress()));
        return workload != null && peer.equals(workload.provableIdentity().orElse(null)) ? workload : null;
    }

    /// One stream whose target is known.
    private final class Attempt {
        private final InboundTarget.Accepted to;
        private final PendingStream stream;
        private final ConnectionReport report;
        private final ConnectionAttributes attributes;
        private final OpenConnection open;
        private @Nullable ChannelFuture pendingDial;
        private @Nullable RunningRelay relay;
        private boolean waitedForPolicies;
        private boolean over;

        Attempt(InboundTarget.Accepted to, PendingStream stream, ConnectionReport report) {
            this.to = to;
            this.stream = stream;
            this.report = report;
            attributes = new ConnectionAttributes(
                    peer,
                    source.getAddress(),
                    to.target().getAddress(),
                    to.target().getPort());
            open = new OpenConnection(pod, report, attributes, channel.eventLoop(), this::abort);
            pod.retain();
            services.registry().add(open); // before the first check, see ConnectionRegistry
        }

        private void begin() {
            if (to.applicationTunnel()) {
                // TODO #4: PROXY protocol towards sandwiched waypoints. Until then they are refused, not served raw.
                fail(ErrorCode.UNSUPPORTED, UNAVAILABLE, "application tunnels are not offered yet");
                return;
            }
            stream.whenAbandoned(
                    () -> fail(ErrorCode.GAVE_UP, UNAVAILABLE, "the peer gave up before the application answered"));
            authorize();
        }

        /// Looks the workload up anew: a snapshot that came after the first look and before this connection was
        /// registered is seen here, and a later one by the re-evaluation.
        private void authorize() {
            if (over) {
                return; // the peer gave up while we waited
            }
            var mesh = services.mesh().current();
            var local = pod.workload(mesh);
            if (local == null) {
                fail(ErrorCode.UNKNOWN_SOURCE, UNAVAILABLE, "local workload " + pod + " is not known any more");
                return;
            }
            switch (Authorizer.decide(mesh.policiesFor(local), attributes)) {
                case Verdict.Allowed _ -> dial(local);
                case Verdict.Undecided _
                when !waitedForPolicies -> {
                    waitedForPolicies = true;
                    services.workloads().awaitPolicies(pod, channel.eventLoop(), () -> guarded(this::authorize));
                }
                case Verdict refusal -> fail(ErrorCode.of(refusal), UNAUTHORIZED, ConnectionRegistry.describe(refusal));
            }
        }

        private void dial(Workload local) {
            try {
                var dialling = ApplicationDialer.dial(pod, channel.eventLoop(), to.target(), source.getAddress());
                pendingDial = dialling;
                var _ = dialling.addListener(_ -> guarded(() -> onDialled(local, dialling)));
            } catch (IOException e) {
                fail(ErrorCode.DIAL_FAILED, UNAVAILABLE, "no socket: " + e.getMessage());
            }
        }

        private void onDialled(Workload local, ChannelFuture dialling) {
            pendingDial = null;
            var application = (EpollSocketChannel) dialling.channel();
            if (over) {
                var _ = application.close();
            } else if (!dialling.isSuccess()) {
                fail(
                        ErrorCode.DIAL_FAILED,
                        UNAVAILABLE,
                        String.valueOf(dialling.cause().getMessage()));
            } else {
                join(local, ApplicationSocket.of(application));
            }
        }

        private void join(Workload local, ApplicationSocket application) {
            var joined = Relay.of(application, this::onRelayEnd);
            relay = RunningRelay.of(joined, services.registry().sweepOf(channel.eventLoop()), report);
            report.opened();
            var answer = services.responseBaggage() ? new ConnectResponse(pod.baggage(local)) : ConnectResponse.PLAIN;
            joined.start(stream.accept(answer, joined.streamListener()));
        }

        private void guarded(Runnable step) {
            try {
                step.run();
            } catch (RuntimeException e) {
                bug(e);
            }
        }

        private void bug(RuntimeException cause) {
            report.bug(cause);
            leave();
            stream.refuse(UNAVAILABLE);
            if (pendingDial != null) {
                pendingDial.cancel(false);
            }
            if (relay != null) {
                relay.abort(ErrorCode.BUG, String.valueOf(cause));
            }
        }

        private void onRelayEnd(RelayEnd end, long fromApplication, long toApplication) {
            report.finished(end, relay == null ? null : relay.abortCode(), fromApplication, toApplication);
            leave();
        }

        /// Policy change or drain, from the registry.
        private void abort(ErrorCode code, String reason) {
            if (relay != null) {
                relay.abort(code, reason);
            } else {
                fail(code, code == ErrorCode.POLICY_CHANGED ? UNAUTHORIZED : UNAVAILABLE, reason);
            }
        }

        private void fail(ErrorCode code, int status, String error) {
            if (over || relay != null) {
                return; // ended before, or it is the relay's to report
            }
            report.failed(code, error);
            stream.refuse(status);
            if (pendingDial != null) {
                pendingDial.cancel(false);
            }
            leave();
        }

        private void leave() {
            if (!over) {
                over = true;
                services.registry().remove(open);
                if (relay != null) {
                    relay.ended();
                }
                pod.release();
            }
        }
    }
}
