package io.loam.agent.connections;

import io.loam.agent.pod.Dialer;
import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.TestPods;
import io.loam.agent.pod.WorkloadWait;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshView;
import io.loam.runtime.accesslog.AccessLog;
import io.loam.runtime.config.LimitsConfig;
import io.loam.runtime.config.LogConfig;
import io.loam.runtime.metrics.TrafficMetrics;
import io.loam.runtime.time.SystemTimer;
import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.ChannelPromise;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// One pod (`cart`, 10.0.0.7), one event loop, and an application on loopback that every dial ends at, whatever its
/// target; dials can be held. Who calls is a plain socket of the test.
public final class ConnectionFixture implements AutoCloseable {
    public final MeshView view = new MeshView();
    public final WorkloadWait workloads = new WorkloadWait(view, Duration.ofMillis(100), Duration.ofMillis(100));
    public final ConnectionRegistry registry;
    public final LocalPod pod = TestPods.pod("cart");
    public final HeldDialer dialer = new HeldDialer();
    public final ServerSocket application;
    public final Telemetry telemetry;

    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final PrometheusRegistry metrics = new PrometheusRegistry();
    private final ByteArrayOutputStream log = new ByteArrayOutputStream();
    private final AccessLog accessLog = new AccessLog(LogConfig.Format.PLAIN, log, metrics);

    /// A registry that lets a pod hold three quarters of `sockets`, and half as many dials.
    public static ConnectionRegistry registry(int sockets) {
        return registry(sockets, new PrometheusRegistry());
    }

    private static ConnectionRegistry registry(int sockets, PrometheusRegistry metrics) {
        var config = new LimitsConfig(sockets, sockets * 3 / 4, sockets / 2, sockets / 2);
        return new ConnectionRegistry(new ConnectionLimits(config, metrics));
    }

    public ConnectionFixture() throws IOException {
        this(1000);
    }

    /// @param sockets that all connections together may hold
    public ConnectionFixture(int sockets) throws IOException {
        registry = registry(sockets, metrics);
        application = new ServerSocket(0, 16, InetAddress.getLoopbackAddress());
        application.setSoTimeout(10_000);
        telemetry = new Telemetry(new TrafficMetrics(metrics), accessLog, new SystemTimer());
        view.addListener(registry::onSnapshot);
    }

    public EventLoop loop() {
        return group.next();
    }

    /// The socket of a tunnel, not connected.
    public Channel tunnel() throws Exception {
        var socket = new EpollSocketChannel();
        loop().register(socket).sync();
        return socket;
    }

    public void publish(MeshDelta.Builder delta) {
        view.publish(view.current().apply(delta.build()));
    }

    /// The control plane has described the pod.
    public void describePod(String... policies) {
        publish(MeshDelta.builder().upsert(TestPods.workload("cart", "10.0.0.7", policies)));
    }

    /// Connects to a listener whose connections begin with `step`.
    public Socket call(AcceptedConnection.FirstStep step) throws Exception {
        var listener = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .childHandler(new ChannelInitializer<Channel>() {
                    @Override
                    protected void initChannel(Channel accepted) {
                        accepted.config().setAutoRead(false);
                        accepted.pipeline().addLast(new AcceptedConnection(telemetry, step));
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        var address = (InetSocketAddress) listener.localAddress();
        var socket = new Socket(address.getAddress(), address.getPort());
        socket.setSoTimeout(10_000);
        await(() -> registry.size() == 1 || !lines().isEmpty());
        return socket;
    }

    public <T> T onLoop(Callable<T> task) throws Exception {
        return loop().submit(task).get(10, TimeUnit.SECONDS);
    }

    /// The connection has ended, once, and left nothing behind.
    ///
    /// @return its access-log line
    public String ended() throws InterruptedException {
        await(() -> registry.size() == 0 && pod.hasOneHolder() && !lines().isEmpty());
        var lines = lines();
        if (lines.size() != 1) {
            throw new AssertionError("one line expected: " + lines);
        }
        return lines.getFirst();
    }

    private List<String> lines() {
        return log.toString(StandardCharsets.UTF_8).lines().toList();
    }

    public double bugs() {
        return metrics.scrape("loam_connection_bugs"::equals).stream()
                .mapToDouble(found ->
                        ((CounterSnapshot) found).getDataPoints().getFirst().getValue())
                .sum();
    }

    /// Peers that were somebody else, by what came of it.
    public List<String> mismatches() {
        return metrics.scrape("loam_peer_mismatches"::equals).stream()
                .flatMap(found -> ((CounterSnapshot) found).getDataPoints().stream())
                .map(point -> point.getLabels().get("then") + " " + (long) point.getValue())
                .toList();
    }

    /// Refusals by the limits, with their labels.
    public List<String> refusals() {
        return metrics.scrape("loam_limit_refusals"::equals).stream()
                .flatMap(found -> ((CounterSnapshot) found).getDataPoints().stream())
                .map(point -> point.getLabels() + " " + point.getValue())
                .toList();
    }

    public static void await(BooleanSupplier condition) throws InterruptedException {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("condition did not come true within 10 s");
            }
            TimeUnit.MILLISECONDS.sleep(2);
        }
    }

    /// What a caller reads before the end.
    ///
    /// @return `reset` if the connection was broken off
    public static String readAll(Socket socket) throws IOException {
        try {
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
        } catch (java.net.SocketException e) {
            return "reset";
        }
    }

    public static void reset(Socket socket) throws IOException {
        socket.setSoLinger(true, 0);
        socket.close();
    }

    @Override
    public void close() throws IOException {
        application.close();
        accessLog.close();
        group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
        pod.release();
    }

    /// Dials the application, when it is let.
    public final class HeldDialer implements Dialer {
        public final List<ChannelPromise> dials = new CopyOnWriteArrayList<>();
        public final List<InetSocketAddress> targets = new CopyOnWriteArrayList<>();
        public volatile boolean holding;
        public volatile boolean withoutSocket;

        @Override
        public ChannelFuture dial(LocalPod from, EventLoop on, InetSocketAddress target, @Nullable InetAddress source)
                throws IOException {
            if (withoutSocket) {
                throw new IOException("Too many open files");
            }
            targets.add(target);
            var channel = new EpollSocketChannel();
            var _ = new Bootstrap()
                    .group(on)
                    .channelFactory(() -> channel)
                    .option(ChannelOption.AUTO_READ, false)
                    .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                    .handler(new ChannelInboundHandlerAdapter())
                    .register();
            var promise = channel.newPromise();
            dials.add(promise);
            if (!holding) {
                letGo(promise);
            }
            return promise;
        }

        public void letGo(ChannelPromise promise) {
            var _ = promise.channel().connect(application.getLocalSocketAddress(), promise);
        }
    }
}
