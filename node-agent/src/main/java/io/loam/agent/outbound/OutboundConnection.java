package io.loam.agent.outbound;

import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorCode;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.connections.Resets;
import io.loam.agent.connections.RunningRelay;
import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.ConnectFailure;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.PendingConnect;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.header.Forwarded;
import io.loam.protocol.header.TraceParent;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.Relay;
import io.loam.runtime.relay.RelayEnd;
import io.loam.runtime.relay.SocketRelay;
import io.loam.runtime.tunnel.OpenFailure;
import io.loam.runtime.tunnel.PooledOpening;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.tunnel.TunnelPool;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An application's connection from the accept to the relay (wire reference, 3.2). The methods stand in the order in
/// which they run:
///
/// 1. {@link #channelActive}: where did it want to go?
/// 2. `onSource`: who is it?
/// 3. `route`: tunnel, plaintext or refusal?
/// 4. `openTunnel` or `dial`
/// 5. the relay takes over, and this handler leaves the pipeline
///
/// A refusal reaches the application as a reset, since an orderly end would look like an empty answer. Belongs to the
/// connection's event loop.
final class OutboundConnection extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(OutboundConnection.class);

    private final LocalPod pod;
    private final OutboundServices services;
    private final TunnelPool pool;
    private @Nullable Attempt attempt;

    OutboundConnection(LocalPod pod, OutboundServices services, TunnelPool pool) {
        this.pod = pod;
        this.services = services;
        this.pool = pool;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        var application = (EpollSocketChannel) ctx.channel();
        var started = new Attempt(application, OriginalAddress.of(application));
        attempt = started;
        services.workloads()
                .await(pod, application.eventLoop(), source -> guarded(started, () -> started.onSource(source)));
    }

    /// The socket at the end of the pipeline hears of it too, and closes what an exception left open.
    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (attempt != null) {
            attempt.fail(ErrorCode.GAVE_UP, "the application closed the connection before it was established");
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (attempt != null && cause instanceof IOException) {
            attempt.fail(ErrorCode.GAVE_UP, "the application's connection failed: " + cause.getMessage());
        } else if (attempt != null) {
            attempt.bug(cause);
        } else { // before anybody took the socket over: nothing behind this handler would close it
            log.error("connection ended by a bug peer={}", ctx.channel().remoteAddress(), cause);
            services.telemetry().metrics().bug();
            var _ = ctx.close();
            return;
        }
        ctx.fireExceptionCaught(cause);
    }

    /// A bug ends this connection and nothing else.
    private static void guarded(Attempt attempt, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            attempt.bug(e);
        }
    }

    /// What is known once the connection is accepted.
    private final class Attempt {
        private final EpollSocketChannel application;
        private final ApplicationSocket socket;
        private final InetSocketAddress destination;
        private final ConnectionReport report;
        private final OpenConnection open;
        private @Nullable PendingConnect pendingTunnel;
        private @Nullable ChannelFuture pendingDial;
        private @Nullable RunningRelay relay;
        private boolean over;

        Attempt(EpollSocketChannel application, InetSocketAddress destination) {
            this.application = application;
            this.socket = ApplicationSocket.of(application); // keeps what comes early
            this.destination = destination;
            var source = OriginalAddress.folded(application.remoteAddress());
            report = new ConnectionReport(services.telemetry(), Direction.OUTBOUND, source);
            report.destinationAddress(destination);
            open = new OpenConnection(pod, report, null, application.eventLoop(), this::abort);
            pod.retain();
            services.registry().add(open);
        }

        private void onSource(@Nullable Workload source) {
            if (over) {
                return; // the application gave up while we waited
            }
            if (source == null) {
                fail(ErrorCode.UNKNOWN_SOURCE, "failed to fetch information about local workload " + pod);
                return;
            }
            route(source);
        }

        private void route(Workload source) {
            var mesh = services.mesh().current();
            report.source(source, null);
            var from = report.sourceAddress().getAddress();
            var request = new OutboundRequest(source, from, destination, services.network());
            switch (OutboundRouter.route(mesh, request, services.random())) {
                case OutboundRoute.Tunnel tunnel -> openTunnel(source, tunnel);
                case OutboundRoute.Plaintext(var target, var workload, var service) -> {
                    report.destinationAddress(target);
                    report.destination(workload, service, null);
                    dial(target);
                }
                case OutboundRoute.Refused(var reason, var detail) -> fail(ErrorCode.of(reason), detail);
            }
        }

        private void openTunnel(Workload source, OutboundRoute.Tunnel route) {
            if (route.peer().isUnresolved()) {
                fail(ErrorCode.UNRESOLVED, route.peer() + ": endpoints that are host names are not resolved yet");
                return;
            }
            report.source(source, source.identity());
            report.destinationAddress(route.peer());
            report.tunnelTarget(route.authority());
            report.destination(
                    route.destination(),
                    route.service(),
                    route.destination().provableIdentity().orElse(null));
            var key = new TunnelKey(
                    source.identity(), sourceAddress(source, route.peer()), route.expectedIdentities(), route.peer());
            var service = route.service();
            var request = new ConnectRequest(
                    route.authority(),
                    pod.baggage(source),
                    Forwarded.of(report.sourceAddress(), service == null ? null : service.hostname())
                            .header(),
                    TraceParent.fresh(services.random()).header());
            pendingTunnel = pool.open(key, request, new PooledOpening() {
                @Override
                public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
                    return relay(stream);
                }

                @Override
                public void onFailed(OpenFailure failure) {
                    fail(codeOf(failure), failure.reason());
                }

                @Override
                public void onBug(Throwable cause) {
                    bug(cause);
                }
            });
        }

        private TunnelStream.Listener relay(TunnelStream stream) {
            pendingTunnel = null;
            var joined = Relay.of(socket, this::onRelayEnd);
            relay = RunningRelay.of(joined, services.registry().sweepOf(application.eventLoop()), report);
            report.opened();
            handOver();
            joined.start(stream); // may end at once, if the application has gone meanwhile
            return joined.streamListener();
        }

        private void dial(InetSocketAddress target) {
            if (target.isUnresolved()) {
                fail(ErrorCode.UNRESOLVED, target + ": endpoints that are host names are not resolved yet");
                return;
            }
            EpollSocketChannel peer;
            try {
                peer = pod.sockets().dialling(target.getAddress());
                pod.sockets().application(peer);
            } catch (IOException e) {
                fail(ErrorCode.DIAL_FAILED, "no socket: " + e.getMessage());
                return;
            }
            var connecting = new Bootstrap()
                    .group(application.eventLoop())
                    .channelFactory(() -> peer)
                    .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, (int)
                            pod.sockets().config().connectTimeout().toMillis())
                    .handler(new ChannelInboundHandlerAdapter())
                    .connect(target);
            pendingDial = connecting;
            var _ = connecting.addListener(_ -> guarded(this, () -> onDialled(connecting, peer)));
        }

        private void onDialled(ChannelFuture connecting, EpollSocketChannel peer) {
            pendingDial = null;
            if (over) {
                var _ = peer.close();
            } else if (!connecting.isSuccess()) {
                fail(ErrorCode.DIAL_FAILED, String.valueOf(connecting.cause().getMessage()));
            } else {
                report.opened();
                handOver();
                var joined = SocketRelay.start(socket, ApplicationSocket.of(peer), this::onRelayEnd);
                if (!over) {
                    relay = RunningRelay.of(joined, services.registry().sweepOf(application.eventLoop()), report);
                }
            }
        }

        /// From here on the relay owns the application's socket.
        private void handOver() {
            if (application.pipeline().context(OutboundConnection.this) != null) {
                application.pipeline().remove(OutboundConnection.this);
            }
        }

        private void onRelayEnd(RelayEnd end, long fromApplication, long toApplication) {
            var running = relay;
            report.finished(end, running == null ? null : running.abortCode(), fromApplication, toApplication);
            leave();
        }

        /// Policy change or drain, from the registry.
        private void abort(ErrorCode code, String reason) {
            if (relay != null) {
                relay.abort(code, reason);
            } else {
                fail(code, reason);
            }
        }

        private void fail(ErrorCode code, String error) {
            if (over || relay != null) {
                return; // ended before, or it is the relay's to report
            }
            report.failed(code, error);
            Resets.reset(application);
            if (pendingTunnel != null) {
                pendingTunnel.cancel();
            }
            if (pendingDial != null) {
                pendingDial.cancel(false);
            }
            leave();
        }

        private void bug(Throwable cause) {
            report.bug(cause);
            Resets.reset(application);
            if (pendingTunnel != null) {
                pendingTunnel.cancel();
            }
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

    /// The tunnel's socket is bound to the pod's own address of the peer's family; without one the kernel chooses.
    private static InetAddress sourceAddress(Workload source, InetSocketAddress peer) {
        for (var address : source.addresses()) {
            if (address.getClass() == peer.getAddress().getClass()) {
                return address;
            }
        }
        return Wildcard.like(peer.getAddress());
    }

    private static ErrorCode codeOf(OpenFailure failure) {
        return switch (failure) {
            case OpenFailure.DialFailed _ -> ErrorCode.DIAL_FAILED;
            case OpenFailure.NoCertificate _ -> ErrorCode.NO_CERTIFICATE;
            case OpenFailure.TlsRefused _ -> ErrorCode.TLS_REFUSED;
            case OpenFailure.TimedOut _ -> ErrorCode.TUNNEL_TIMEOUT;
            case OpenFailure.SetupFailed _ -> ErrorCode.TUNNEL_SETUP;
            case OpenFailure.TooManyWaiting _ -> ErrorCode.OVERLOADED;
            case OpenFailure.PoolClosed _ -> ErrorCode.DRAINED;
            case OpenFailure.ConnectFailed(ConnectFailure.RefusedStatus(var status)) ->
                status == 401 || status == 403 ? ErrorCode.PEER_DENIED : ErrorCode.PEER_REFUSED;
            case OpenFailure.ConnectFailed _ -> ErrorCode.PEER_REFUSED;
        };
    }
}
