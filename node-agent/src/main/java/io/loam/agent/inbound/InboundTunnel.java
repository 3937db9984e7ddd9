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
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.ConnectHandler;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.PendingStream;
import io.loam.protocol.header.Baggage;
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

/// The CONNECT requests of one tunnel whose peer is proved (wire reference, 3.3). Each goes through target, verdict,
/// dial and answer, in this order: 200 is said when the application has taken the connection. Belongs to the tunnel's
/// event loop.
final class InboundTunnel implements ConnectHandler {
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
                new Attempt(local, to, stream, report).authorize();
            }
        }
    }

    /// By address, and only if that workload is who the certificate names: addresses are reused (hazards I12, I13).
    private @Nullable Workload sourceWorkload(MeshSnapshot mesh) {
        var workload = mesh.workloadByAddress(new NetworkAddress(services.network(), source.getAddress()));
        return workload != null && workload.identity().equals(peer) ? workload : null;
    }

    /// One stream whose target is known.
    private final class Attempt {
        private final Workload local;
        private final InboundTarget.Accepted to;
        private final PendingStream stream;
        private final ConnectionReport report;
        private final ConnectionAttributes attributes;
        private final OpenConnection open;
        private @Nullable ChannelFuture pendingDial;
        private @Nullable RunningRelay relay;
        private boolean over;

        Attempt(Workload local, InboundTarget.Accepted to, PendingStream stream, ConnectionReport report) {
            this.local = local;
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

        private void authorize() {
            if (to.applicationTunnel()) {
                // TODO #3: PROXY protocol towards sandwiched waypoints. Until then they are refused, not served raw.
                fail(ErrorCode.UNSUPPORTED, UNAVAILABLE, "application tunnels are not offered yet");
                return;
            }
            // Asked again: the workload that the target was resolved with may name the policies of an older mesh than
            // the one that was current when this stream was registered.
            var mesh = services.mesh().current();
            var now = pod.workload(mesh);
            if (now == null) {
                fail(ErrorCode.UNKNOWN_SOURCE, UNAVAILABLE, "local workload " + pod + " is not known any more");
                return;
            }
            var verdict = Authorizer.decide(mesh.policiesFor(now), attributes);
            if (!verdict.allows()) {
                fail(ErrorCode.POLICY_DENIED, UNAUTHORIZED, ConnectionRegistry.describe(verdict));
                return;
            }
            dial();
        }

        private void dial() {
            try {
                var dialling = ApplicationDialer.dial(pod, channel.eventLoop(), to.target(), source.getAddress());
                pendingDial = dialling;
                stream.whenAbandoned(
                        () -> fail(ErrorCode.GAVE_UP, UNAVAILABLE, "the peer gave up before the application answered"));
                var _ = dialling.addListener(_ -> guarded(() -> onDialled(dialling)));
            } catch (IOException e) {
                fail(ErrorCode.DIAL_FAILED, UNAVAILABLE, "no socket: " + e.getMessage());
            }
        }

        private void onDialled(ChannelFuture dialling) {
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
                join(ApplicationSocket.of(application));
            }
        }

        private void join(ApplicationSocket application) {
            var joined = Relay.of(application, this::onRelayEnd);
            relay = RunningRelay.of(joined, channel.eventLoop(), report);
            report.opened();
            var answer = services.responseBaggage()
                    ? new ConnectResponse(Baggage.of(local).header())
                    : ConnectResponse.PLAIN;
            joined.start(stream.accept(answer, joined.streamListener()));
        }

        private void guarded(Runnable step) {
            try {
                step.run();
            } catch (RuntimeException e) {
                report.bug(e);
                stream.refuse(UNAVAILABLE);
                leave();
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
