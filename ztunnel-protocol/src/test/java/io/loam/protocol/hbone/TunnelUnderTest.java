package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2CodecUtil;
import io.netty.handler.codec.http2.Http2Error;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A tunnel server with an application behind it that takes every connection, for one conformance case or attack.
final class TunnelUnderTest implements AutoCloseable {
    private static final long PROBE = 0x5052_4f42_4521L;

    /// What the application does with its own direction.
    enum Application {
        /// Says nothing, never ends.
        SILENT,
        /// Says `Good morning`, never ends.
        GREETING,
        /// Ends when the peer has ended.
        POLITE,
        /// Sends back what it gets.
        ECHO,
        /// Is not reached: the verdict is never given.
        NEVER_DIALLED
    }

    final RawPeer peer;
    final List<ConnectRequest> dialled = new ArrayList<>();
    final List<String> heard = new ArrayList<>();

    /// Dials that were given up before an answer.
    int abandoned;

    private final HboneServerHandler server;
    private final Application application;

    private TunnelUnderTest(Application application, boolean handshake) {
        this.application = application;
        this.server = HboneServerHandler.create(this::accept);
        this.peer = handshake ? RawPeer.clientOf(server) : RawPeer.silentClientOf(server);
    }

    static TunnelUnderTest with(Application application) {
        return new TunnelUnderTest(application, true);
    }

    /// No CONNECT is ever answered.
    static TunnelUnderTest undecided() {
        return new TunnelUnderTest(Application.NEVER_DIALLED, true);
    }

    /// The client has not even sent its preface.
    static TunnelUnderTest beforePreface() {
        return new TunnelUnderTest(Application.SILENT, false);
    }

    static ByteBuf preface() {
        return Http2CodecUtil.connectionPrefaceBuf().copy();
    }

    private void accept(ConnectRequest request, PendingStream pending) {
        dialled.add(request);
        if (application == Application.NEVER_DIALLED) {
            pending.whenAbandoned(() -> abandoned++);
            return;
        }
        var connection = new Connection();
        var stream = pending.accept(ConnectResponse.PLAIN, connection);
        connection.stream = stream;
        if (application == Application.GREETING) {
            stream.write(WireFrames.text("Good morning"));
            stream.flush();
        }
    }

    /// Every part is one read of the tunnel.
    TunnelUnderTest send(ByteBuf... parts) {
        for (var part : parts) {
            peer.bytes(part);
        }
        return this;
    }

    // --- expectations ---

    /// The CONNECT on `stream` was answered with 200, and the tunnel goes on.
    void served(int stream) {
        assertThat(peer.seen).contains("HEADERS " + stream + " 200");
        alive();
    }

    void seenLast(String frame) {
        assertThat(peer.seen).endsWith(frame);
        alive();
    }

    /// Nothing was made of it: the tunnel goes on, and no stream was reset.
    void ignored() {
        assertThat(peer.seen).noneMatch(frame -> frame.startsWith("RST"));
        alive();
    }

    /// RFC 9113, 5.4.2. The tunnel goes on.
    void streamError(int stream, Http2Error... codes) {
        assertThat(peer.seen).containsAnyElementsOf(names("RST " + stream + " ", codes));
        alive();
    }

    /// As {@link #streamError}, and nobody was asked for a verdict.
    void refusedStream(int stream, Http2Error... codes) {
        assertThat(dialled).as("dialled").isEmpty();
        streamError(stream, codes);
    }

    /// RFC 9113, 8.1.1: a malformed request may be answered before its stream ends. Nobody was asked for a verdict.
    void refusedWith400(int stream) {
        assertThat(dialled).as("dialled").isEmpty();
        assertThat(peer.seen).contains("HEADERS " + stream + " 400 END");
        alive();
    }

    /// RFC 9113, 5.1, closed: STREAM_CLOSED for the stream or for the connection.
    void closedStreamError(int stream) {
        assertThat(peer.seen.getLast()).isIn("RST " + stream + " STREAM_CLOSED", "GOAWAY STREAM_CLOSED");
    }

    /// RFC 9113, 5.4.1: GOAWAY and the end of the connection.
    void connectionError(Http2Error... codes) {
        assertThat(peer.seen.getLast()).isIn(names("GOAWAY ", codes));
        assertThat(peer.tunnel.isOpen()).as("open").isFalse();
    }

    /// PING is still answered, nothing but by an answer to it.
    void alive() {
        assertThat(peer.tunnel.isOpen()).as("open; seen: %s", peer.seen).isTrue();
        send(WireFrames.ping(PROBE));
        assertThat(peer.seen).endsWith("PONG " + Long.toHexString(PROBE));
        assertThat(peer.seen).noneMatch(frame -> frame.startsWith("GOAWAY"));
    }

    private static List<String> names(String what, Http2Error... codes) {
        return Arrays.stream(codes)
                .map(code -> what + ConnectFailure.errorName(code.code()))
                .toList();
    }

    @Override
    public void close() {
        peer.close();
    }

    private final class Connection implements TunnelStream.Listener {
        private @Nullable TunnelStream stream;

        private TunnelStream stream() {
            return Objects.requireNonNull(stream, "called from inside accept");
        }

        @Override
        public void onData(ByteBuf data) {
            heard.add(data.toString(StandardCharsets.US_ASCII));
            stream().credit(data.readableBytes());
            if (application == Application.ECHO) {
                stream().write(data);
                stream().flush();
            } else {
                data.release();
            }
        }

        @Override
        public void onReadComplete() {}

        @Override
        public void onEndStream() {
            heard.add("END");
            if (application == Application.POLITE) {
                stream().endStream();
            }
        }

        @Override
        public void onFinished() {
            heard.add("FINISHED");
        }

        @Override
        public void onReset(long errorCode) {
            heard.add("RESET " + ConnectFailure.errorName(errorCode));
        }

        @Override
        public void onWritable() {}

        @Override
        public void onBug(Throwable cause) {
            heard.add("BUG " + cause);
        }
    }
}
