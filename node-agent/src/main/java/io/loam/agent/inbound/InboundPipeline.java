package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorFlags;
import io.loam.agent.pod.LocalPod;
import io.loam.model.failure.ErrorCode;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.HboneServerHandler;
import io.loam.protocol.hbone.RecordFiller;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.protocol.tls.MeshTls;
import io.loam.protocol.tls.PeerRefusedException;
import io.loam.protocol.tls.Revocations.PeerRole;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslHandler;
import io.netty.util.concurrent.Future;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// One accepted tunnel on port 15008. Nothing is read before there is a certificate to answer with; then the lines of
/// `serve` stand in wire order, and the HTTP/2 end joins them when the peer has proved who it is.
public final class InboundPipeline extends ChannelInitializer<EpollSocketChannel> {
    /// From the accept to the peer's verified certificate, waiting for our own included (hazard T12).
    private static final long HANDSHAKE_TIMEOUT_SECONDS = 10;

    private final LocalPod pod;
    private final InboundServices services;
    private final InboundTunnels tunnels;

    /// @param tunnels where the pod's tunnels are known, for the drain
    public InboundPipeline(LocalPod pod, InboundServices services, InboundTunnels tunnels) {
        this.pod = pod;
        this.services = services;
        this.tunnels = tunnels;
    }

    @Override
    protected void initChannel(EpollSocketChannel channel) throws IOException {
        channel.config().setAutoRead(false);
        var admission = new Admission(channel);
        if (!services.handshakes().enter(admission.source.getAddress())) {
            admission.refuse(ErrorCode.OVERLOADED, "too many handshakes in progress");
            return;
        }
        admission.inHandshake = true;
        if (!services.registry().limits().takeSocket(pod)) {
            admission.refuse(ErrorCode.OVERLOADED, "too many open connections");
            admission.decide();
            return;
        }
        pod.retain();
        tunnels.enter();
        var _ = channel.closeFuture().addListener(_ -> admission.leave());
        channel.pipeline().addLast("tail", new TunnelTail(services.telemetry())); // notices every failure
        pod.sockets().tunnel(channel);
        admission.begin();
    }

    /// One connection from the accept to its tunnel. Belongs to its event loop.
    private final class Admission implements PeerHandler.Outcome {
        private final EpollSocketChannel channel;
        private final InetSocketAddress source;
        private @Nullable Future<?> deadline;

        /// Counted by the limits.
        private boolean inHandshake;

        private boolean decided;
        private @Nullable MeshTls presented;

        Admission(EpollSocketChannel channel) {
            this.channel = channel;
            this.source = OriginalAddress.folded(channel.remoteAddress());
        }

        void begin() {
            deadline = channel.eventLoop()
                    .schedule(
                            () -> refuse(
                                    ErrorCode.TLS_REFUSED, "no handshake within " + HANDSHAKE_TIMEOUT_SECONDS + " s"),
                            HANDSHAKE_TIMEOUT_SECONDS,
                            TimeUnit.SECONDS);
            services.workloads().await(pod, channel.eventLoop(), this::certify);
        }

        /// The pod's certificate: at once as a rule, since it was asked for when the pod joined.
        private void certify(@Nullable Workload local) {
            if (decided || !channel.isActive()) {
                return; // the peer gave up while we waited
            }
            if (local == null) {
                refuse(ErrorCode.UNKNOWN_SOURCE, "failed to fetch information about local workload " + pod);
                return;
            }
            var certificate = services.certificates().get(local.identity()).toCompletableFuture();
            if (certificate.isDone() && !certificate.isCompletedExceptionally()) {
                serve(certificate.join());
                return;
            }
            var _ = certificate.whenComplete((tls, failure) -> channel.eventLoop()
                    .execute(() -> {
                        if (failure != null) {
                            refuse(ErrorCode.NO_CERTIFICATE, String.valueOf(failure.getMessage()));
                        } else if (!decided && channel.isActive()) {
                            serve(tls);
                        }
                    }));
        }

        private void serve(MeshTls tls) {
            var handshake = tls.newServerHandler(channel.alloc());
            presented = tls;
            handshake.setHandshakeTimeoutMillis(0); // ours began with the accept
            channel.pipeline()
                    .addBefore("tail", "tls", handshake) // proves who the peer is, not what it may do
                    .addBefore("tail", "records", new RecordFiller()) // small frames of one flush become one TLS record
                    .addBefore("tail", "peer", new PeerHandler(handshake, this)); // then gives way to HTTP/2
            channel.config().setAutoRead(true);
        }

        @Override
        public void onProved(ChannelHandlerContext ctx, SslHandler tls) {
            var peer = MeshTls.peer(tls);
            if (peer.isEmpty() || !"h2".equals(tls.applicationProtocol())) {
                refuse(ErrorCode.TLS_REFUSED, "peer offered no h2 (ALPN: " + tls.applicationProtocol() + ")");
                return;
            }
            decide();
            var accepted = OriginalAddress.folded(channel.localAddress());
            var tunnel = new InboundTunnel(pod, services, channel, peer.get(), accepted, source);
            var budget = services.budgets().of(channel.eventLoop());
            // frames, windows, GOAWAY on drain
            var http2 = HboneServerHandler.create(services.hbone(), budget, tunnel);
            ctx.pipeline().replace("peer", "http2", http2);
            tunnels.add(http2);
            var watch = Objects.requireNonNull(presented, "there was a handshake")
                    .whenRevoked(tls, PeerRole.CLIENT, () -> channel.eventLoop().execute(http2::closeRevoked));
            var _ = channel.closeFuture().addListener(_ -> {
                watch.run();
                tunnels.remove(http2);
            });
        }

        @Override
        public void onFailed(Throwable cause) {
            refuse(ErrorFlags.ofHandshake(cause), PeerRefusedException.describe(cause));
        }

        /// A tunnel that fails before its first stream still leaves a line in the access log.
        private void refuse(ErrorCode code, String error) {
            if (decided) {
                return;
            }
            decided = true;
            var report = new ConnectionReport(services.telemetry(), Direction.INBOUND, source);
            report.destinationAddress(OriginalAddress.folded(channel.localAddress()));
            report.destination(pod.workload(services.mesh().current()), null, null);
            report.failed(code, error);
            var _ = channel.close();
        }

        /// The peer is proved: its handshake makes room for another one.
        private void decide() {
            decided = true;
            if (inHandshake) {
                inHandshake = false;
                services.handshakes().leave(source.getAddress());
            }
            if (deadline != null) {
                deadline.cancel(false);
            }
        }

        /// The connection is closed.
        private void leave() {
            decide();
            services.registry().limits().giveSocket(pod);
            tunnels.leave();
            pod.release();
        }
    }
}
