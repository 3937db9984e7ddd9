package io.loam.agent.zds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.SeqPacketServer;
import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsAgentSession;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import io.loam.runtime.admin.Readiness;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Wire reference, 6.4, over a real socket: the other end is the privileged half.
class ZdsClientTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    @TempDir
    private Path folder = Path.of("");

    private final Readiness readiness = new Readiness();
    private final List<String> calls = new CopyOnWriteArrayList<>();
    private volatile @Nullable Throwable failure;
    private SeqPacketServer server;
    private ZdsClient client;

    @BeforeEach
    void start() throws IOException {
        server = SeqPacketServer.listen(folder.resolve("zds.sock"));
        client = new ZdsClient(server.path(), new Recorder(), readiness, RandomGenerator.getDefault());
        client.start();
    }

    @AfterEach
    void stop() {
        client.close();
        server.close();
    }

    @Test
    void saysHelloAndAnswersEachRequest() throws Exception {
        try (var privileged = accepted()) {
            assertThat(add(privileged, "u1")).isEmpty();
            assertThat(privileged.keep(new Keep("u2"))).isEmpty();
            assertThat(readiness.reply().body()).isEqualTo("not ready, pending: zds snapshot\n");
            assertThat(privileged.snapshotSent()).isEmpty();
            assertThat(readiness.isReady()).isTrue();
            assertThat(privileged.del(new Del("u1"))).isEmpty();
            privileged.requireSilence();
        }
        assertThat(calls).startsWith("connected", "add u1 shop/cart-1 cart", "keep u2", "snapshot", "remove u1");
    }

    @Test
    void aRefusalIsTheTextOfTheAck() throws Exception {
        try (var privileged = accepted()) {
            failure = new IOException("cannot listen on port 15008");

            assertThat(add(privileged, "u1")).isEqualTo("cannot listen on port 15008");
            assertThat(privileged.keep(new Keep("u1"))).isEqualTo("cannot listen on port 15008");
        }
    }

    /// One pod must not keep the others of its node out.
    @Test
    void aBugWithOnePodIsAnsweredAndTheSessionGoesOn() throws Exception {
        try (var privileged = accepted()) {
            failure = new IllegalStateException("bug");
            assertThat(add(privileged, "u1")).contains("bug");
            failure = new NoClassDefFoundError("gone");
            assertThat(add(privileged, "u1")).contains("gone");

            failure = null;
            assertThat(add(privileged, "u2")).isEmpty();
            assertThat(privileged.snapshotSent()).isEmpty();
        }
        assertThat(calls.stream().filter("connected"::equals)).hasSize(1);
    }

    @Test
    void losingThePrivilegedHalfMakesUnreadyUntilTheNextSnapshot() throws Exception {
        try (var privileged = accepted()) {
            assertThat(privileged.snapshotSent()).isEmpty();
            assertThat(readiness.isReady()).isTrue();
        }
        try (var again = accepted()) {
            assertThat(readiness.isReady()).isFalse();
            assertThat(again.snapshotSent()).isEmpty();
            assertThat(readiness.isReady()).isTrue();
        }
    }

    @Test
    void breakingTheProtocolEndsTheSessionAndANewOneBegins() throws Exception {
        try (var privileged = accepted()) {
            assertThat(privileged.snapshotSent()).isEmpty();
            assertThatThrownBy(() -> privileged.keep(new Keep("u1"))).isInstanceOf(IOException.class);
        }
        try (var again = accepted()) {
            assertThat(again.snapshotSent()).isEmpty();
        }
        assertThat(calls.stream().filter("connected"::equals)).hasSize(2);
        assertThat(calls).doesNotContain("keep u1");
    }

    private ZdsAgentSession accepted() throws IOException {
        var socket = server.accept(SOON);
        if (socket == null) {
            throw new AssertionError("no connection within " + SOON);
        }
        var session = new ZdsAgentSession(socket);
        session.awaitHello();
        return session;
    }

    private static String add(ZdsAgentSession privileged, String uid) throws IOException {
        try (var netns = FileDescriptor.open(Path.of("/proc/self/ns/net"))) {
            return privileged
                    .add(new Add(uid, new WorkloadInfo("cart-1", "shop", "cart")), netns, new HeldListeners())
                    .error();
        }
    }

    private final class Recorder implements PodLifecycle {
        private void record(String call) throws IOException {
            switch (failure) {
                case null -> calls.add(call);
                case IOException e -> throw e;
                case RuntimeException e -> throw e;
                case Error e -> throw e;
                case Throwable e -> throw new AssertionError(e);
            }
        }

        @Override
        public void connected() {
            calls.add("connected");
        }

        @Override
        public @Nullable HeldListeners add(String uid, WorkloadInfo info, Netns netns, @Nullable HeldListeners held)
                throws IOException {
            netns.close();
            if (held != null) {
                held.close();
            }
            record("add " + uid + " " + info.namespace() + "/" + info.name() + " " + info.serviceAccount());
            return null;
        }

        @Override
        public void keep(String uid) throws IOException {
            record("keep " + uid);
        }

        @Override
        public void remove(String uid) {
            calls.add("remove " + uid);
        }

        @Override
        public void snapshotComplete() {
            calls.add("snapshot");
        }

        @Override
        public void retryPending() {}
    }
}
