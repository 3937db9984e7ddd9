package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorCode;
import io.loam.agent.pod.LocalPod;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.HboneServerHandler;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.protocol.tls.MeshTls;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/// One accepted tunnel on port 15008. Nothing is read before there is a certificate to answer with; then the lines of
/// {@link #serve} stand in wire order, and the HTTP/2 end joins them when the peer has proved who it is.
public final class InboundPipeline extends ChannelInitializer<EpollSocketChannel> {
    /// Slow handshakes end here (hazard T12).
    private static final long HANDSHAKE_TIMEOUT_MILLIS = 10_000;

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
        pod.sockets().tunnel(channel);
        channel.config().setAutoRead(false);
        pod.retain();
        var _ = channel.closeFuture().addListener(_ -> pod.release());
        services.workloads().await(pod, channel.eventLoop(), local -> certify(channel, local));
    }

    /// The pod's certificate: at once as a rule, since it was asked for when the pod joined.
    private void certify(EpollSocketChannel channel, @Nullable Workload local) {
        if (local == null) {
            refuse(channel, ErrorCode.UNKNOWN_SOURCE, "failed to fetch information about local workload " + pod);
            return;
        }
        var certificate = services.certificates().get(local.identity()).toCompletableFuture();
        if (certificate.isDone() && !certificate.isCompletedExceptionally()) {
            serve(channel, certificate.join());
            return;
        }
        var _ = certificate.whenComplete((tls, failure) -> channel.eventLoop().execute(() -> {
            if (failure != null) {
                refuse(channel, ErrorCode.NO_CERTIFICATE, String.valueOf(failure.getMessage()));
            } else if (channel.isActive()) {
                serve(channel, tls);
            }
        }));
    }

    private void serve(EpollSocketChannel channel, MeshTls tls) {
        var handshake = tls.newServerHandler(channel.alloc());
        handshake.setHandshakeTimeoutMillis(HANDSHAKE_TIMEOUT_MILLIS);
        channel.pipeline()
                .addLast("tls", handshake) // proves who the peer is, not what it may do
                .addLast("peer", new PeerHandler(handshake, new Admission(channel))); // then gives way to HTTP/2
        channel.config().setAutoRead(true);
    }

    /// A tunnel that fails before its first stream still leaves a line in the access log.
    private void refuse(EpollSocketChannel channel, ErrorCode code, String error) {
        var report = new ConnectionReport(
                services.telemetry(), Direction.INBOUND, OriginalAddress.folded(channel.remoteAddress()));
        report.destinationAddress(OriginalAddress.folded(channel.localAddress()));
        report.failed(code, error);
        var _ = channel.close();
    }

    /// What the handshake leads to.
    private final class Admission implements PeerHandler.Outcome {
        private final EpollSocketChannel channel;

        Admission(EpollSocketChannel channel) {
            this.channel = channel;
        }

        @Override
        public void onProved(ChannelHandlerContext ctx, SslHandler tls) {
            var peer = MeshTls.peer(tls);
            if (peer.isEmpty() || !"h2".equals(tls.applicationProtocol())) {
                refuse(channel, ErrorCode.TLS_REFUSED, "peer offered no h2 (ALPN: " + tls.applicationProtocol() + ")");
                return;
            }
            var tunnel = new InboundTunnel(pod, services, channel, peer.get());
            var http2 = HboneServerHandler.create(services.hbone(), tunnel); // frames, windows, GOAWAY on drain
            tunnels.add(http2);
            var _ = channel.closeFuture().addListener(_ -> tunnels.remove(http2));
            ctx.pipeline().replace("peer", "http2", http2);
        }

        @Override
        public void onFailed(Throwable cause) {
            refuse(channel, ErrorCode.TLS_REFUSED, String.valueOf(cause.getMessage()));
        }
    }
}
