package io.loam.it.tunnel;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.ca.CertificateAuthority;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.bench.load.Iperf;
import io.loam.lab.bench.load.LoadProcess;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.tls.MeshTls;
import io.loam.protocol.tls.WorkloadCsr;
import io.loam.runtime.tunnel.ClientTlsSource;
import io.loam.runtime.tunnel.OpenFailure;
import io.loam.runtime.tunnel.PooledOpening;
import io.loam.runtime.tunnel.TunnelKey;
import io.loam.runtime.tunnel.TunnelPool;
import io.loam.runtime.tunnel.TunnelPoolConfig;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.codec.http2.Http2Error;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.io.TempDir;

/// Hazards T7, T8 and P14: programs that do not read what they are sent, and programs that send all they can.
/// T8 comes last: it takes all that there is to lend, and what quiet tunnels were lent is missed for some
/// seconds more.
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
final class NeighboursNetnsIT {
    private static final int STREAMS = 500;
    private static final int STREAMS_PER_TUNNEL = 10;
    private static final int TUNNELS = STREAMS / STREAMS_PER_TUNNEL;

    /// Of a program. The kernel takes 2.5 MiB of each first.
    private static final int CONNECTIONS = Integer.getInteger("loam.neighbours.connections", 150);

    private static final int DEAF = 8095;
    private static final int SINK = 8096;
    private static final int MOST_MIB = 256;
    private static final double MIB = 1 << 20;
    private static final int STREAM_WINDOW_BYTES = HboneConfig.DEFAULT.streamWindowBytes();
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    /// T8: nothing moved for this long, so the windows are empty. If they are not, it finds less than there is.
    private static final Duration QUIET = Duration.ofMillis(1500);

    /// T7: the readers' rate is measured so long, with and without the one that does not read in turn. The
    /// best of each is compared, since what others do to these two cores only ever takes from it; a busy
    /// machine needs more rounds. For P14 it is the same.
    private static final Duration ROUND = Duration.ofMillis(Integer.getInteger("loam.neighbours.roundMillis", 400));

    private static final int MIN_ROUNDS = 3;
    private static final int MAX_ROUNDS = 16;
    private static final int READERS = 4;

    /// P14, as in the benchmark.
    private static final int RATE = 1000;

    private static final int KEPT = 64;
    private static final int BULK = 8;
    private static final double MOST_TIMES = 3;

    /// Of what is less, these two cores have a greater part than the agents: the benchmark's requests that
    /// meet no proxy have been 39 ms beside bulk.
    private static final double LEAST_MICROS = 20_000;

    private static final Duration REQUESTS_FOR =
            Duration.ofMillis(Integer.getInteger("loam.neighbours.requestMillis", 1000));
    private static final Duration BULK_FOR = REQUESTS_FOR.plusSeconds(2);
    private static final double LEAST_SHARE = 0.9;

    @TempDir
    private static Path directory;

    private static TunnelLab mesh;

    private Process deaf;
    private Process sink;

    @BeforeAll
    static void start() throws IOException {
        mesh = TunnelLab.start("stop", directory);
    }

    @AfterAll
    static void stop() throws IOException {
        if (mesh != null) {
            mesh.close();
        }
    }

    @BeforeEach
    void startPrograms() throws IOException {
        deaf = listening("deaf", DEAF);
        sink = listening("sink", SINK);
    }

    private static Process listening(String command, int port) throws IOException {
        var program = mesh.start("mesh/server", "crowd.py", command, port);
        TunnelLab.await(
                command + " listens",
                PATIENCE,
                () -> TunnelLab.inNetns(mesh.lab().podNetns("mesh/server"), "ss", "-Hltn", "sport = :" + port)
                        .contains(":" + port));
        return program;
    }

    /// With the one that does not read goes what is kept for it.
    @AfterEach
    void endPrograms() throws Exception {
        end(deaf);
        end(sink);
    }

    /// What was started here is only the way into the pod: the program ends with its input.
    private static void end(Process program) throws Exception {
        program.outputWriter().close();
        assertThat(program.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }

    /// Hazard T7, all in one tunnel.
    @Test
    @Order(1)
    void oneStoppedReaderLeavesTheOthersOfItsTunnelTheirRate() throws Exception {
        double without = 0;
        double with = 0;
        double kept = 0;
        double idle = metric("loam_buffered_bytes");
        try (var senders = new Senders(100)) {
            senders.open(SINK, 1); // loads what there is to load
            senders.rate(ROUND);
            senders.endAll();
            for (int round = 0; round < MIN_ROUNDS || (round < MAX_ROUNDS && with < LEAST_SHARE * without); round++) {
                without = Math.max(without, readersRate(senders));
                awaitKept(idle, Double.NEGATIVE_INFINITY, MIB);
                senders.open(DEAF, 1);
                // Half a window may have been taken by the kernel and is not announced yet.
                kept = Math.max(kept, awaitKept(idle, STREAM_WINDOW_BYTES / 2.0, STREAM_WINDOW_BYTES + MIB));
                with = Math.max(with, readersRate(senders));
                senders.endAll();
            }
            assertThat(senders.tunnels()).isEqualTo(1);
            assertThat(senders.lost).isEmpty();
        }
        HazardFigures.reached(
                "T7",
                "%d streams at %.0f MiB/s beside one that nobody reads, %.0f MiB/s without it (%.0f %%); %.1f MiB kept"
                        .formatted(READERS, with, without, 100 * with / without, kept / MIB));
        assertThat(with / without).isGreaterThanOrEqualTo(LEAST_SHARE);
    }

    /// What the server's agent holds more than when it was idle, once that is within the bounds and stays as
    /// it is.
    private static double awaitKept(double idle, double least, double most) throws IOException {
        var kept = new double[1];
        TunnelLab.await("between %.0f and %.0f bytes kept".formatted(least, most), PATIENCE, () -> {
            double before = kept[0];
            kept[0] = metric("loam_buffered_bytes") - idle;
            return kept[0] >= least && kept[0] <= most && kept[0] == before;
        });
        return kept[0];
    }

    private static double readersRate(Senders senders) throws Exception {
        senders.open(SINK, READERS);
        double rate = senders.rate(ROUND);
        senders.end(SINK);
        return rate;
    }

    /// Hazard P14: requests of one pod beside bulk of another, through the same two agents. Both loads of a
    /// round follow each other at once, so that their ratio is of the same moment.
    @Test
    @Order(2)
    void bulkOfOnePodLeavesTheRequestsOfAnotherTheirTime() throws Exception {
        Files.writeString(Files.createDirectories(directory.resolve("www")).resolve("index.html"), "x".repeat(1024));
        var server = bulkServer();
        var figure = "no round had bulk from its first to its last request";
        double leastOfAgents = Double.MAX_VALUE;
        try (var requests = LoadProcess.start(mesh.lab().enter("mesh/client"), directory.resolve("load.log"))) {
            p99Micros(requests); // what there is to load and to compile
            p99Micros(requests);
            for (int round = 0; round < MAX_ROUNDS && leastOfAgents > MOST_TIMES; round++) {
                double alone = p99Micros(requests);
                var bulk = CompletableFuture.supplyAsync(NeighboursNetnsIT::bulk);
                awaitBulk(bulk);
                double beside = p99Micros(requests);
                boolean gone = bulk.isDone();
                double gigabits = bulk.join().gigabitsPerSecond();
                if (!gone && beside / Math.max(alone, LEAST_MICROS) < leastOfAgents) {
                    leastOfAgents = beside / Math.max(alone, LEAST_MICROS);
                    figure =
                            "p99 of %d requests/s %.2f ms alone, %.2f ms beside %d bulk streams of another pod (%.1f Gbit/s): %.2f times"
                                    .formatted(RATE, alone / 1000, beside / 1000, BULK, gigabits, beside / alone);
                }
            }
        } finally {
            server.destroy();
            server.waitFor();
        }
        HazardFigures.reached("P14", figure);
        assertThat(leastOfAgents).as(figure).isLessThanOrEqualTo(MOST_TIMES);
    }

    private static Process bulkServer() throws IOException {
        var command = new ArrayList<>(mesh.lab().enter("mesh/neighbour"));
        command.addAll(List.of("iperf3", "--server", "--port", Integer.toString(TunnelLab.IPERF)));
        var server = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(directory.resolve("iperf.log").toFile())
                .start();
        TunnelLab.await("iperf3 listens", PATIENCE, () -> sockets("mesh/neighbour", "-l") == 1);
        return server;
    }

    private static double p99Micros(LoadProcess requests) throws IOException {
        var target = new InetSocketAddress(mesh.ipv4("mesh/server"), TunnelLab.NGINX);
        var result = requests.fixedRate(target, RATE, KEPT, REQUESTS_FOR);
        assertThat(result.failure()).isNull();
        return result.p99Micros();
    }

    private static Iperf.Bulk bulk() {
        try {
            var inside = mesh.lab().enter("mesh/twin-a");
            return Iperf.run(inside, mesh.ipv4("mesh/neighbour"), TunnelLab.IPERF, BULK, false, BULK_FOR);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// All of its connections are open, beside the one by which iperf3 talks.
    private static void awaitBulk(CompletableFuture<Iperf.Bulk> bulk) throws IOException {
        TunnelLab.await("bulk", PATIENCE, () -> bulk.isDone() || sockets("mesh/neighbour", "-o") >= BULK + 1);
    }

    private static long sockets(String pod, String kind) throws IOException {
        return TunnelLab.inNetns(mesh.lab().podNetns(pod), "ss", "-Htn", kind, "sport = :" + TunnelLab.IPERF)
                .lines()
                .count();
    }

    /// Hazard T8 by a peer: each stream sends all that the windows allow.
    @Test
    void fiveHundredStoppedReadersCostABoundedAmountAndOthersAreServed() throws Exception {
        var agent = mesh.lab().agent("nb").pid();
        long before = mesh.residentMib("nb");
        try (var senders = new Senders(STREAMS_PER_TUNNEL)) {
            senders.open(DEAF, STREAMS);
            senders.awaitQuiet();
            long with = mesh.residentMib("nb");
            long sentMib = senders.sentBytes.get() >> 20;

            serveOthers();

            HazardFigures.reached(
                    "T8",
                    ("%d streams in %d tunnels sent %d MiB that nobody reads; RSS %d MiB before, %d MiB with them, %d MiB"
                                    + " after 50 new streams of another workload and 16 MiB of a third")
                            .formatted(STREAMS, TUNNELS, sentMib, before, with, mesh.residentMib("nb")));
            assertThat(senders.lost).isEmpty();
            assertThat(senders.tunnels()).isEqualTo(TUNNELS);
            assertThat(Math.max(with, mesh.residentMib("nb"))).isLessThanOrEqualTo(MOST_MIB);
            assertUnharmed(agent);
        }
    }

    /// Hazard T8 by a program: what the windows do not take waits in the agent of the one who sends.
    @Test
    void connectionsThatNobodyReadsCostABoundedAmountOnBothNodes() throws Exception {
        var agents =
                List.of(mesh.lab().agent("na").pid(), mesh.lab().agent("nb").pid());
        var pour = mesh.start("mesh/client", "crowd.py", "pour", mesh.ipv4("mesh/server"), DEAF, CONNECTIONS);
        try {
            var output = pour.inputReader();
            var said = output.readLine();
            assertThat(said)
                    .as(() -> output.lines().collect(Collectors.joining("\n")))
                    .endsWith("taken");
            serveOthers();
            HazardFigures.reached(
                    "T8",
                    "%d connections of a program, %s that nobody reads; RSS %d MiB where it is sent, %d MiB where it is kept"
                            .formatted(CONNECTIONS, said, mesh.residentMib("na"), mesh.residentMib("nb")));
            assertThat(mesh.residentMib("na")).isLessThanOrEqualTo(MOST_MIB);
            assertThat(mesh.residentMib("nb")).isLessThanOrEqualTo(MOST_MIB);
            assertUnharmed(agents.get(1));
            assertThat(mesh.lab().agent("na").pid()).isEqualTo(agents.get(0));
        } finally {
            end(pour);
        }
    }

    /// Others that come now, through the same two agents: the program checks every byte.
    private static void serveOthers() throws IOException {
        mesh.crowd("mesh/twin-a", PATIENCE, "storm", mesh.ipv4("mesh/cold"), TunnelLab.CROWD, 50, 100_000);
        mesh.call("mesh/twin-b", "talk", mesh.ipv4("mesh/neighbour"), TunnelLab.PEER, 8 << 20, 8 << 20, 0, 0, "others");
    }

    private static void assertUnharmed(long agent) throws IOException {
        for (var node : List.of("na", "nb")) {
            assertThat(Files.readString(mesh.lab().agentLog(node))).doesNotContain("OutOfDirectMemory", "OutOfMemory");
        }
        assertThat(mesh.lab().agent("nb").pid()).as("the same agent").isEqualTo(agent);
    }

    private static double metric(String name) throws IOException {
        return TunnelLab.inNetns(mesh.lab().nodeNetns("nb"), "curl", "-sS", "-m", "5", "http://127.0.0.1:15020/metrics")
                .lines()
                .filter(line -> line.startsWith(name + " "))
                .mapToDouble(line -> Double.parseDouble(line.substring(name.length() + 1)))
                .findFirst()
                .orElseThrow();
    }

    /// A peer in `plain/outsider`, uncaptured, with a certificate of the client's account.
    private static final class Senders implements AutoCloseable {
        private final MultiThreadIoEventLoopGroup group =
                new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        private final ByteBuf chunk = Unpooled.directBuffer(32 << 10).writeZero(32 << 10);
        private final Netns netns;
        private final TunnelPool pool;
        private final TunnelKey key;
        private final List<Sender> senders = new ArrayList<>(); // of the loop
        final AtomicInteger opened = new AtomicInteger();
        final AtomicLong sentBytes = new AtomicLong();
        final ConcurrentLinkedQueue<String> lost = new ConcurrentLinkedQueue<>();

        Senders(int streamsPerTunnel) throws Exception {
            netns = Netns.open(mesh.lab().podNetns("plain/outsider"));
            var source = new SpiffeId("cluster.local", "mesh", "client");
            var csr = WorkloadCsr.generate(source);
            var state = mesh.lab().name().stateDir().resolve("ca");
            var issued = CertificateAuthority.openOrCreate(state, InstantSource.system())
                    .issueWorkload(source, csr.pem(), Duration.ofHours(1));
            var tls = MeshTls.of(csr.accept(issued.certChain()), InstantSource.system());
            var server = mesh.ipv4("mesh/server");
            key = new TunnelKey(
                    source,
                    mesh.ipv4("plain/outsider"),
                    Set.of(new SpiffeId("cluster.local", "mesh", "server")),
                    new InetSocketAddress(server, TunnelLab.HBONE));
            var config = new TunnelPoolConfig(
                    streamsPerTunnel,
                    STREAMS,
                    TunnelPoolConfig.DEFAULT.connectTimeout(),
                    TunnelPoolConfig.DEFAULT.idleTimeout());
            pool = new TunnelPool(
                    group.next(),
                    _ -> netns.call(() -> new EpollSocketChannel()),
                    (wanted, loop) -> loop.newSucceededFuture(new ClientTlsSource.Workload(tls, wanted)),
                    config,
                    HboneConfig.DEFAULT);
        }

        /// Returns when all are open.
        void open(int port, int streams) throws IOException {
            int wanted = opened.get() + streams;
            var request = ConnectRequest.to(mesh.ipv4("mesh/server").getHostAddress() + ":" + port);
            group.next().execute(() -> {
                for (int i = 0; i < streams; i++) {
                    var sender = new Sender(port);
                    senders.add(sender);
                    pool.open(key, request, sender);
                }
            });
            TunnelLab.await("streams open", PATIENCE, () -> {
                assertThat(lost).isEmpty();
                return opened.get() == wanted;
            });
        }

        /// What all streams together were allowed to send, MiB/s.
        double rate(Duration time) throws InterruptedException {
            long from = sentBytes.get();
            long began = System.nanoTime();
            TimeUnit.NANOSECONDS.sleep(time.toNanos()); // the measurement itself
            return (sentBytes.get() - from) * 1e9 / (System.nanoTime() - began) / (1 << 20);
        }

        void end(int port) throws Exception {
            group.next()
                    .submit(() -> senders.removeIf(sender -> {
                        if (sender.port == port) {
                            sender.end();
                        }
                        return sender.port == port;
                    }))
                    .get();
        }

        void endAll() throws Exception {
            end(DEAF);
            end(SINK);
        }

        int tunnels() throws Exception {
            return group.next().submit(pool::tunnels).get();
        }

        void awaitQuiet() throws IOException {
            var last = new long[] {-1, 0};
            TunnelLab.await("no more is taken", PATIENCE, () -> {
                long now = System.nanoTime();
                if (sentBytes.get() != last[0]) {
                    last[0] = sentBytes.get();
                    last[1] = now;
                }
                return now - last[1] > QUIET.toNanos();
            });
        }

        @Override
        public void close() {
            group.next().submit(pool::close).awaitUninterruptibly();
            group.shutdownGracefully(0, 2, TimeUnit.SECONDS).awaitUninterruptibly();
            netns.close();
            chunk.release();
        }

        private final class Sender implements PooledOpening, TunnelStream.Listener {
            private final int port;
            private @Nullable TunnelStream stream;
            private boolean ended;

            Sender(int port) {
                this.port = port;
            }

            void end() {
                ended = true;
                if (stream != null) {
                    stream.reset(Http2Error.CANCEL.code());
                }
            }

            @Override
            public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream to, ConnectResponse response) {
                stream = to;
                opened.incrementAndGet();
                group.next().execute(this::onWritable);
                return this;
            }

            @Override
            public void onWritable() {
                while (stream != null && !ended && stream.isWritable()) {
                    stream.write(chunk.retainedDuplicate());
                    sentBytes.addAndGet(chunk.readableBytes());
                }
                if (stream != null) {
                    stream.flush();
                }
            }

            @Override
            public void onFailed(OpenFailure failure) {
                lost.add(failure.reason());
            }

            @Override
            public void onData(ByteBuf data) {
                data.release();
            }

            @Override
            public void onReadComplete() {}

            @Override
            public void onEndStream() {
                lose("end of stream");
            }

            @Override
            public void onFinished() {
                lose("finished");
            }

            @Override
            public void onReset(long errorCode) {
                lose("reset " + errorCode);
            }

            private void lose(String how) {
                if (!ended) {
                    lost.add(how);
                }
            }

            @Override
            public void onBug(Throwable cause) {
                lost.add("bug " + cause);
            }
        }
    }
}
