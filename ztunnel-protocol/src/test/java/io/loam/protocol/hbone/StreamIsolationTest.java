package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Hazards, rule 7: whoever listens to a stream and throws ends that stream; its neighbour on the tunnel goes on.
class StreamIsolationTest {
    private static final int BROKEN = 1;
    private static final int NEIGHBOUR = 3;

    /// The peer's window (RFC 9113, 6.9.2): it never raised it.
    private static final int PEER_WINDOW_BYTES = 65_535;

    enum Callback {
        DATA,
        HELD_DATA,
        READ_COMPLETE,
        END_STREAM,
        FINISHED,
        RESET,
        WRITABLE
    }

    private final List<PendingStream> pending = new ArrayList<>();
    private final List<Throwable> bugs = new ArrayList<>();
    private final RecordingListener neighbour = new RecordingListener();
    private Runnable onConnect = () -> {};
    private final RawPeer peer = RawPeer.clientOf(HboneServerHandler.create(new ConnectHandler() {
        @Override
        public void onConnect(ConnectRequest request, PendingStream stream) {
            pending.add(stream);
            onConnect.run();
        }

        @Override
        public void onBug(Throwable cause) {
            bugs.add(cause);
        }
    }));

    @AfterEach
    void close() {
        peer.close();
    }

    @ParameterizedTest
    @EnumSource(Callback.class)
    void aListenerThatThrowsEndsItsOwnStreamOnly(Callback callback) {
        var broken = new ThrowingListener(callback);
        peer.connect(BROKEN);
        peer.connect(NEIGHBOUR);
        if (callback == Callback.HELD_DATA) {
            peer.data(BROKEN, "early", false);
        }
        var stream = pending.get(0).accept(ConnectResponse.PLAIN, broken);
        peer.listen();
        pending.get(1).accept(ConnectResponse.PLAIN, neighbour);
        peer.listen();

        boolean resetByUs = switch (callback) {
            case DATA, READ_COMPLETE -> {
                peer.data(BROKEN, "x", false);
                yield true;
            }
            case HELD_DATA -> true;
            case END_STREAM -> {
                peer.data(BROKEN, "x", true);
                yield true;
            }
            case FINISHED -> {
                stream.endStream();
                peer.data(BROKEN, "x", true);
                yield false;
            }
            case RESET -> {
                peer.reset(BROKEN, Http2Error.CANCEL.code());
                yield false;
            }
            case WRITABLE -> {
                stream.write(Unpooled.wrappedBuffer(new byte[PEER_WINDOW_BYTES + 1]));
                stream.flush();
                peer.listen();
                assertThat(stream.isWritable()).isFalse();
                peer.send((frames, ctx) -> frames.writeWindowUpdate(ctx, 0, 1000, ctx.newPromise()));
                neighbour.heard.clear(); // it was told of the room as well
                peer.send((frames, ctx) -> frames.writeWindowUpdate(ctx, BROKEN, 1000, ctx.newPromise()));
                yield true;
            }
        };
        peer.data(NEIGHBOUR, "hello", true);

        assertThat(broken.bugs).extracting(Throwable::getMessage).containsExactly(callback.name());
        assertThat(peer.seen.contains("RST 1 INTERNAL_ERROR")).isEqualTo(resetByUs);
        assertThat(neighbour.heard).containsExactly("hello", "|", "END");
        assertThat(peer.tunnel.isOpen()).isTrue();
        assertThat(peer.seen).noneMatch(frame -> frame.startsWith("GOAWAY"));
    }

    /// What a stream that a bug ended had received is credited, or the tunnel's window would shrink with every bug.
    @Test
    void aBugTakesNothingFromTheTunnelsWindow() {
        int rounds = 3;
        int frames = 160;
        var frame = "x".repeat(60_000);
        for (int round = 0; round < rounds; round++) { // 9.6 MB each, of a window of 16 MiB
            int id = 1 + 2 * round;
            peer.connect(id);
            pending.get(round).accept(ConnectResponse.PLAIN, new ThrowingListener(Callback.DATA));
            peer.listen();
            for (int i = 0; i < frames; i++) {
                peer.data(id, frame, false);
            }
        }

        peer.connect(99);
        pending.get(rounds).accept(ConnectResponse.PLAIN, neighbour);
        peer.data(99, "hello", false);

        assertThat(neighbour.heard).containsExactly("hello", "|");
        assertThat(peer.seen).noneMatch(frameSeen -> frameSeen.startsWith("GOAWAY"));
    }

    @Test
    void aConnectHandlerThatThrowsEndsTheStreamOnly() {
        onConnect = () -> {
            throw new IllegalStateException("connect");
        };
        peer.connect(BROKEN);
        onConnect = () -> {};
        peer.connect(NEIGHBOUR);
        pending.get(1).accept(ConnectResponse.PLAIN, neighbour);
        peer.data(NEIGHBOUR, "hello", false);

        assertThat(bugs).extracting(Throwable::getMessage).containsExactly("connect");
        assertThat(peer.seen).contains("RST 1 INTERNAL_ERROR");
        assertThat(neighbour.heard).containsExactly("hello", "|");
    }

    @Test
    void whatIsDoneForAPeerThatGaveUpMayThrowToo() {
        peer.connect(BROKEN);
        peer.connect(NEIGHBOUR);
        pending.get(0).whenAbandoned(() -> {
            throw new IllegalStateException("abandoned");
        });
        peer.reset(BROKEN, Http2Error.CANCEL.code());
        pending.get(1).accept(ConnectResponse.PLAIN, neighbour);
        peer.data(NEIGHBOUR, "hello", false);

        assertThat(bugs).extracting(Throwable::getMessage).containsExactly("abandoned");
        assertThat(neighbour.heard).containsExactly("hello", "|");
        assertThat(peer.tunnel.isOpen()).isTrue();
    }

    @ParameterizedTest
    @EnumSource(
            value = Asked.class,
            names = {"OPENED", "REFUSED", "GONE"})
    void anOpeningThatThrowsEndsItsOwnStreamOnly(Asked asked) {
        var tunnel = HboneClientHandler.create(new QuietTunnelListener());
        try (var server = RawPeer.serverOf(tunnel)) {
            var heard = new ArrayList<Throwable>();
            tunnel.open(ConnectRequest.to("10.0.0.7:80"), new Opening(asked.name(), heard, neighbour));
            tunnel.open(ConnectRequest.to("10.0.0.8:80"), new Opening(null, heard, neighbour));
            server.listen();

            switch (asked) {
                case OPENED -> server.headers(3, new DefaultHttp2Headers().status("200"), false);
                case REFUSED -> server.headers(3, new DefaultHttp2Headers().status("503"), true);
                case GONE -> server.reset(3, Http2Error.REFUSED_STREAM.code());
            }
            server.headers(5, new DefaultHttp2Headers().status("200"), false);
            server.data(5, "hello", false);

            assertThat(heard).extracting(Throwable::getMessage).containsExactly(asked.name());
            assertThat(neighbour.heard).containsExactly("hello", "|");
            assertThat(server.tunnel.isOpen()).isTrue();
        }
    }

    enum Asked {
        OPENED,
        REFUSED,
        GONE
    }

    private record Opening(@Nullable String fails, List<Throwable> bugs, TunnelStream.Listener listener)
            implements StreamOpening {
        @Override
        public TunnelStream.Listener onOpened(TunnelStream stream, ConnectResponse response) {
            if (fails != null) {
                throw new IllegalStateException(fails);
            }
            return listener;
        }

        @Override
        public void onFailed(ConnectFailure failure) {
            throw new IllegalStateException(fails);
        }

        @Override
        public void onBug(Throwable cause) {
            bugs.add(cause);
        }
    }

    private static final class QuietTunnelListener implements Tunnel.Listener {
        @Override
        public void onReady(Tunnel tunnel) {}

        @Override
        public void onRoom(Tunnel tunnel) {}

        @Override
        public void onDraining(Tunnel tunnel) {}
    }

    private static final class ThrowingListener implements TunnelStream.Listener {
        private final Callback callback;
        private final List<Throwable> bugs = new ArrayList<>();

        ThrowingListener(Callback callback) {
            this.callback = callback;
        }

        private void throwIn(Callback called) {
            assertThat(bugs).as("called after its end: %s", called).isEmpty();
            if (called == callback) {
                throw new IllegalStateException(callback.name());
            }
        }

        @Override
        public void onData(ByteBuf data) {
            boolean early = data.toString(StandardCharsets.US_ASCII).equals("early");
            data.release();
            throwIn(early ? Callback.HELD_DATA : Callback.DATA);
        }

        @Override
        public void onReadComplete() {
            throwIn(Callback.READ_COMPLETE);
        }

        @Override
        public void onEndStream() {
            throwIn(Callback.END_STREAM);
        }

        @Override
        public void onFinished() {
            throwIn(Callback.FINISHED);
        }

        @Override
        public void onReset(long errorCode) {
            throwIn(Callback.RESET);
        }

        @Override
        public void onWritable() {
            throwIn(Callback.WRITABLE);
        }

        @Override
        public void onBug(Throwable cause) {
            bugs.add(cause);
        }
    }
}
