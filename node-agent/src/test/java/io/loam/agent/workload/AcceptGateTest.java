package io.loam.agent.workload;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.pod.TestPods;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.loops.EventLoops;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.net.Socket;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Hazards P1 and P4, over loopback. "Not accepted" is asked after every task of both loops has run: the
/// kernel has completed the connection by then, and a listener that may accept would have been told.
class AcceptGateTest {
    private static final Duration NEVER = Duration.ofMinutes(10);

    private final EventLoops loops = new EventLoops(1);
    private final CompletableFuture<Void> whole = new CompletableFuture<>();
    private volatile CompletableFuture<String> certificate = new CompletableFuture<>();
    private final Readiness readiness = new Readiness();
    private volatile boolean predecessor;
    private final LinkedBlockingQueue<Channel> accepted = new LinkedBlockingQueue<>();
    private final CompletableFuture<String> never = new CompletableFuture<>();
    private volatile boolean asked;
    private @Nullable EpollServerSocketChannel listener;
    private @Nullable Socket client;

    @AfterEach
    void close() throws Exception {
        if (client != null) {
            client.close();
        }
        if (listener != null) {
            listener.close().sync();
        }
        loops.close();
    }

    @Test
    void whoConnectsWaitsForTheMeshAndTheCertificate() throws Exception {
        var gate = gate(NEVER);
        connectThrough(gate);

        assertThat(asked).isFalse();
        assertNothingAccepted();

        whole.complete(null);
        assertNothingAccepted();
        assertThat(asked).isTrue();

        certificate.complete("c");
        assertThat(accepted.poll(10, TimeUnit.SECONDS)).isNotNull();
    }

    /// Connections hear the reason then.
    @Test
    void aRefusalOfTheCaOpensItToo() throws Exception {
        var gate = gate(NEVER);
        connectThrough(gate);
        whole.complete(null);

        certificate.completeExceptionally(new IllegalStateException("refused"));

        assertThat(accepted.poll(10, TimeUnit.SECONDS)).isNotNull();
    }

    @Test
    void opensWhenItsTimeIsOver() throws Exception {
        var gate = gate(Duration.ofMillis(50), NEVER);
        connectThrough(gate);

        assertThat(accepted.poll(10, TimeUnit.SECONDS)).isNotNull();
        assertThat(asked).isFalse();
    }

    /// Without a mesh there is nothing to do but refuse, and in an upgrade there is somebody who would not.
    @Test
    void waitsLongerForTheMeshThanForTheCertificate() throws Exception {
        var gate = gate(NEVER, Duration.ofMillis(1));
        connectThrough(gate);
        assertThat(accepted.poll(100, TimeUnit.MILLISECONDS)).isNull();

        whole.complete(null);

        assertThat(accepted.poll(10, TimeUnit.SECONDS)).isNotNull();
        assertThat(AcceptGate.MESH_LIMIT).isGreaterThan(AcceptGate.CERTIFICATE_LIMIT);
    }

    /// What an agent lacks that comes beside one that serves, and how it ends.
    enum Lack {
        MESH,
        CERTIFICATE_IN_TIME,
        CERTIFICATE
    }

    @ParameterizedTest
    @EnumSource
    void aSuccessorThatLacksSomethingLeavesThePodToItsPredecessor(Lack lack) throws Exception {
        predecessor = true;
        connectThrough(lacking(lack));
        awaitText("left to the agent before: pod ");
        assertThat(readiness.reply().body())
                .contains(
                        switch (lack) {
                            case MESH -> "lacking its mesh";
                            case CERTIFICATE_IN_TIME -> "lacking its certificate";
                            case CERTIFICATE -> "lacking its certificate: CA away";
                        });
        assertNothingAccepted();

        certificate = CompletableFuture.completedFuture("c");
        never.complete("c");
        whole.complete(null);

        assertThat(accepted.poll(10, TimeUnit.SECONDS)).isNotNull();
        assertThat(readiness.reply().body()).doesNotContain("left to");
    }

    /// Then it is the only one: refusing with the reason is better than to have them wait.
    @ParameterizedTest
    @EnumSource
    void aSuccessorWhosePredecessorEndsOpens(Lack lack) throws Exception {
        predecessor = true;
        connectThrough(lacking(lack));
        awaitText("left to the agent before: pod ");
        assertNothingAccepted();

        predecessor = false;

        assertThat(accepted.poll(10, TimeUnit.SECONDS)).isNotNull();
        assertThat(readiness.reply().body()).doesNotContain("left to");
    }

    private AcceptGate lacking(Lack lack) {
        var soon = Duration.ofMillis(1);
        return switch (lack) {
            case MESH -> gate(soon, NEVER);
            case CERTIFICATE_IN_TIME -> {
                whole.complete(null);
                certificate = never;
                yield gate(NEVER, soon);
            }
            case CERTIFICATE -> {
                whole.complete(null);
                certificate = CompletableFuture.failedFuture(new IllegalStateException("CA away"));
                yield gate(NEVER);
            }
        };
    }

    private void awaitText(String text) throws Exception {
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!readiness.reply().body().contains(text)) {
            assertThat(System.nanoTime() - deadline)
                    .as("%s in: %s", text, readiness.reply().body())
                    .isNegative();
            Thread.sleep(5);
        }
    }

    @Test
    void aListenerThatComesLaterAcceptsAtOnce() throws Exception {
        whole.complete(null);
        certificate.complete("c");
        var gate = gate(NEVER);
        runTasks();

        connectThrough(gate);

        assertThat(accepted.poll(10, TimeUnit.SECONDS)).isNotNull();
    }

    @Test
    void nothingIsAcceptedOnceItIsClosed() throws Exception {
        var gate = gate(NEVER);
        connectThrough(gate);
        gate.close();

        whole.complete(null);
        certificate.complete("c");

        assertNothingAccepted();
    }

    private AcceptGate gate(Duration limit) {
        return gate(limit, limit);
    }

    private AcceptGate gate(Duration meshLimit, Duration certificateLimit) {
        return AcceptGate.of(
                "connections",
                TestPods.pod("cart"),
                loops.control().next(),
                new Successor(() -> predecessor, readiness),
                whole,
                () -> {
                    asked = true;
                    return certificate;
                },
                meshLimit,
                certificateLimit);
    }

    private void connectThrough(AcceptGate gate) throws Exception {
        var opened = (EpollServerSocketChannel) new ServerBootstrap()
                .group(loops.workers().getFirst(), loops.workers().getFirst())
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.AUTO_READ, false)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        accepted.add(ch);
                    }
                })
                .bind("127.0.0.1", 0)
                .sync()
                .channel();
        listener = opened;
        gate.add(opened);
        var address = opened.localAddress();
        client = new Socket(address.getAddress(), address.getPort());
        runTasks();
    }

    private void assertNothingAccepted() throws Exception {
        runTasks();
        assertThat(accepted).isEmpty();
    }

    /// From the gate's loop to the listener's, and through its next look at the kernel.
    private void runTasks() throws Exception {
        for (int i = 0; i < 2; i++) {
            for (var loop : List.of(loops.control().next(), loops.workers().getFirst())) {
                loop.submit(() -> {}).get(10, TimeUnit.SECONDS);
            }
        }
    }
}
