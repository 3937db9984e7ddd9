package io.loam.protocol.rpc;

import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A gRPC server over TLS 1.3, authenticated by its own certificate only: callers bring a token ({@link
/// BearerToken}).
///
/// Calls run on virtual threads, so services may block. The serving certificate is renewed at half of its life
/// without touching connections. {@link #close} ends everything the server started.
public final class RpcServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(RpcServer.class);

    /// Hazards, rule 4: a stranger holds a half-open handshake this long at most.
    private static final Duration HANDSHAKE_TIMEOUT = Duration.ofSeconds(10);

    /// Clients ping every 30 s (wire reference, 4.1); a third of that is still no attack.
    private static final Duration LEAST_PING_INTERVAL = Duration.ofSeconds(10);

    /// Enough for one agent: two streams of xDS, eight certificate requests (wire reference, 5), and room.
    private static final int MAX_CALLS_PER_CONNECTION = 64;

    /// How often the age of the serving certificate is looked at, and a failed renewal tried again.
    private static final Duration RENEWAL_CHECK = Duration.ofSeconds(30);

    private final String name;
    private final Supplier<ServingCertificate> certificates;
    private final CurrentKeyManager keys;
    private final InstantSource clock;
    private final MultiThreadIoEventLoopGroup loops;
    private final ExecutorService calls;
    private final Server server;

    private RpcServer(
            String name,
            Supplier<ServingCertificate> certificates,
            CurrentKeyManager keys,
            InstantSource clock,
            MultiThreadIoEventLoopGroup loops,
            ExecutorService calls,
            Server server) {
        this.name = name;
        this.certificates = certificates;
        this.keys = keys;
        this.clock = clock;
        this.loops = loops;
        this.calls = calls;
        this.server = server;
    }

    /// Returns once the server listens.
    ///
    /// @param name of the server, for threads and logs
    /// @param certificates issues a serving certificate; asked now and at each renewal, may block
    /// @throws IOException if the address cannot be bound
    public static RpcServer start(
            String name,
            RpcListenConfig config,
            Supplier<ServingCertificate> certificates,
            InstantSource clock,
            List<ServerServiceDefinition> services)
            throws IOException {
        var keys = new CurrentKeyManager(certificates.get());
        var tls = GrpcSslContexts.configure(SslContextBuilder.forServer(keys), SslProvider.OPENSSL)
                .protocols("TLSv1.3")
                .build();
        // One thread accepts and serves: messages are few, the work is done on the virtual threads.
        var loops =
                new MultiThreadIoEventLoopGroup(1, new DefaultThreadFactory(name, true), EpollIoHandler.newFactory());
        var calls = Executors.newThreadPerTaskExecutor(
                Thread.ofVirtual().name(name + "-call-", 0).factory());
        var builder = NettyServerBuilder.forAddress(config.address())
                .channelFactory(config.channels())
                .bossEventLoopGroup(loops)
                .workerEventLoopGroup(loops)
                .executor(calls)
                .sslContext(tls)
                .intercept(BearerToken.interceptor())
                .handshakeTimeout(HANDSHAKE_TIMEOUT.toMillis(), TimeUnit.MILLISECONDS)
                .maxInboundMessageSize(config.maxRequestBytes())
                .maxConcurrentCallsPerConnection(MAX_CALLS_PER_CONNECTION)
                .permitKeepAliveTime(LEAST_PING_INTERVAL.toMillis(), TimeUnit.MILLISECONDS)
                .permitKeepAliveWithoutCalls(true)
                .keepAliveTime(30, TimeUnit.SECONDS) // finds agents that vanished without a FIN
                .keepAliveTimeout(10, TimeUnit.SECONDS)
                .maxConnectionAge(config.maxConnectionAge().toMillis(), TimeUnit.MILLISECONDS)
                .maxConnectionAgeGrace(10, TimeUnit.SECONDS);
        services.forEach(builder::addService);
        try {
            var server = new RpcServer(
                    name,
                    certificates,
                    keys,
                    clock,
                    loops,
                    calls,
                    builder.build().start());
            var _ = loops.next()
                    .scheduleWithFixedDelay(
                            () -> calls.execute(server::renewIfDue),
                            RENEWAL_CHECK.toMillis(),
                            RENEWAL_CHECK.toMillis(),
                            TimeUnit.MILLISECONDS);
            LOG.info("server={} bound={}", name, server.address());
            return server;
        } catch (IOException | RuntimeException e) {
            stop(loops, calls);
            throw e;
        }
    }

    /// Where it listens, with the port it was given.
    public InetSocketAddress address() {
        return (InetSocketAddress) server.getListenSockets().getFirst();
    }

    /// Ends all connections at once and waits for them, at most 5 s.
    @Override
    public void close() {
        server.shutdownNow();
        try {
            if (!server.awaitTermination(5, TimeUnit.SECONDS)) {
                LOG.warn("server={} still has connections 5 s after it was told to end", name);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        stop(loops, calls);
    }

    /// Takes another certificate for the handshakes from now on, whatever is left of the one in use; at once or, if
    /// that
    /// fails, when it is due. Returns before.
    public void renewCertificate() {
        calls.execute(this::renew);
    }

    private void renewIfDue() {
        if (!clock.instant().isBefore(keys.current().renewAt())) {
            renew();
        }
    }

    private void renew() {
        try {
            keys.renew(certificates.get());
            LOG.info("server={} renewed its certificate: {}", name, keys.current());
        } catch (RuntimeException e) {
            LOG.error("server={} could not renew its certificate, the old one stays: {}", name, keys.current(), e);
        }
    }

    private static void stop(MultiThreadIoEventLoopGroup loops, ExecutorService calls) {
        calls.shutdownNow();
        loops.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly(3, TimeUnit.SECONDS);
    }
}
