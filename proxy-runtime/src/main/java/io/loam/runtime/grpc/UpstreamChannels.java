package io.loam.runtime.grpc;

import io.grpc.ManagedChannel;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.loam.runtime.config.UpstreamConfig;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.util.concurrent.TimeUnit;

/// Opens gRPC channels to the control plane and the CA (wire reference, 4.1). Blocks for file access; not for event
/// loops.
public final class UpstreamChannels {
    /// The largest answer ztunnel decodes; a full mesh arrives in one.
    private static final int LARGEST_MESSAGE_BYTES = 200 << 20;

    private final EventLoopGroup group;

    /// @param group the control loop; not closed here
    public UpstreamChannels(EventLoopGroup group) {
        this.group = group;
    }

    /// Reads the roots as they are now. The channel connects on its first call; the caller shuts it down.
    ///
    /// @throws IOException if the root certificates cannot be read, with the file and what is expected
    public ManagedChannel open(UpstreamConfig upstream) throws IOException {
        var address = upstream.address();
        var builder = NettyChannelBuilder.forAddress(host(address.getHost()), address.getPort())
                .eventLoopGroup(group)
                .channelType(EpollSocketChannel.class)
                .withOption(ChannelOption.CONNECT_TIMEOUT_MILLIS, 5_000)
                .withOption(ChannelOption.SO_KEEPALIVE, true)
                .withOption(EpollChannelOption.TCP_KEEPIDLE, 300)
                .withOption(EpollChannelOption.TCP_KEEPINTVL, 75)
                .withOption(EpollChannelOption.TCP_KEEPCNT, 9)
                .keepAliveTime(30, TimeUnit.SECONDS)
                .keepAliveTimeout(10, TimeUnit.SECONDS)
                .maxInboundMessageSize(LARGEST_MESSAGE_BYTES)
                .disableRetry() // both clients have a back-off of their own
                .directExecutor() // callbacks only hand over; nothing of ours blocks in them
                .intercept(new UpstreamCredentials(upstream));
        if (!upstream.tls()) {
            return builder.usePlaintext().build();
        }
        var tls = GrpcSslContexts.configure(SslContextBuilder.forClient(), SslProvider.OPENSSL);
        switch (upstream.root()) {
            case RootCertificates.File(var path) -> {
                try (var in = Files.newInputStream(path)) {
                    tls.trustManager(in);
                } catch (IllegalArgumentException e) {
                    throw new IOException(path + ": not readable as certificates (expected: PEM)", e);
                }
            }
            case RootCertificates.Inline(var pem) -> {
                try {
                    tls.trustManager(new ByteArrayInputStream(pem.getBytes(StandardCharsets.US_ASCII)));
                } catch (IllegalArgumentException e) {
                    throw new IOException("the roots given inline are not readable (expected: PEM)", e);
                }
            }
            case RootCertificates.OperatingSystem() -> {
                // Without a trust manager the platform's own roots count.
            }
        }
        builder.sslContext(tls.build());
        var serverName = upstream.serverName();
        if (serverName != null) {
            builder.overrideAuthority(serverName);
        }
        return builder.build();
    }

    /// A URI keeps the brackets of an IPv6 literal; an address has none.
    private static String host(String uriHost) {
        return uriHost.startsWith("[") ? uriHost.substring(1, uriHost.length() - 1) : uriHost;
    }
}
