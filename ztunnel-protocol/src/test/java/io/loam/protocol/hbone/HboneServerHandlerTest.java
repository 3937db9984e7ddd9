package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Headers;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class HboneServerHandlerTest {
    private static final long NO_ERROR = Http2Error.NO_ERROR.code();
    private static final long CANCEL = Http2Error.CANCEL.code();

    private final List<ConnectRequest> requests = new ArrayList<>();
    private final List<PendingStream> pending = new ArrayList<>();
    private final RecordingListener stream = new RecordingListener();
    private final HboneServerHandler server = HboneServerHandler.create((request, waiting) -> {
        requests.add(request);
        pending.add(waiting);
    });
    private final RawPeer peer = RawPeer.clientOf(server);

    @AfterEach
    void close() {
        peer.close();
    }

    private TunnelStream accept(int index) {
        var accepted = pending.get(index).accept(ConnectResponse.PLAIN, stream);
        peer.listen();
        return accepted;
    }

    private static ByteBuf text(String text) {
        return Unpooled.copiedBuffer(text, StandardCharsets.US_ASCII);
    }

    @Test
    void announcesItsLimitsFirst() {
        assertThat(peer.seen).startsWith("SETTINGS streams=200 window=4194304 frame=65536 list=16384");
    }

    @Test
    void readsWhatTheClientSaysAboutTheSource() {
        peer.headers(
                1,
                new DefaultHttp2Headers()
                        .method("CONNECT")
                        .authority("[fd00::7]:80")
                        .add("baggage", "k8s.namespace.name=shop")
                        .add("baggage", "service.name=cart")
                        .add("forwarded", "for=\"10.0.0.1:4711\""),
                false);

        assertThat(requests)
                .containsExactly(new ConnectRequest(
                        "[fd00::7]:80", "k8s.namespace.name=shop,service.name=cart", "for=\"10.0.0.1:4711\"", null));
    }

    static List<Http2Headers> wrongRequests() {
        return List.of(
                new DefaultHttp2Headers().method("CONNECT"),
                new DefaultHttp2Headers()
                        .method("CONNECT")
                        .authority("10.0.0.7:80")
                        .path("/"),
                new DefaultHttp2Headers()
                        .method("CONNECT")
                        .authority("10.0.0.7:80")
                        .scheme("https"),
                new DefaultHttp2Headers().method("connect").authority("10.0.0.7:80"),
                new DefaultHttp2Headers()
                        .method("GET")
                        .authority("10.0.0.7:80")
                        .path("/")
                        .scheme("https"),
                new DefaultHttp2Headers().authority("10.0.0.7:80"));
    }

    /// Hazard T14; RFC 9113, 8.5.
    @ParameterizedTest
    @MethodSource("wrongRequests")
    void answersRequestsThatAreNoConnectWith400(Http2Headers headers) {
        peer.headers(1, headers, false);

        assertThat(requests).isEmpty();
        assertThat(peer.seen).endsWith("HEADERS 1 400 END", "RST 1 NO_ERROR");
    }

    @Test
    void resetsStreamsWithForbiddenFields() {
        peer.headers(
                1,
                new DefaultHttp2Headers(false)
                        .method("CONNECT")
                        .authority("10.0.0.7:80")
                        .add("connection", "close"),
                false);
        peer.headers(
                3,
                new DefaultHttp2Headers(false)
                        .method("CONNECT")
                        .authority("10.0.0.7:80")
                        .add("Upper", "case"),
                false);

        assertThat(requests).isEmpty();
        assertThat(peer.seen).endsWith("RST 1 PROTOCOL_ERROR", "RST 3 PROTOCOL_ERROR");
    }

    @Test
    void refusesWithStatusAndEnd() {
        peer.connect(1);
        pending.getFirst().refuse(401);
        peer.listen();

        assertThat(peer.seen).endsWith("HEADERS 1 401 END", "RST 1 NO_ERROR");
        assertThat(server.activeStreams()).isZero();
    }

    @Test
    void holdsEarlyBytesUntilTheVerdict() {
        peer.connect(1);
        peer.data(1, "early ", false);
        peer.data(1, "bytes", true);
        assertThat(stream.heard).isEmpty();

        pending.getFirst().accept(ConnectResponse.PLAIN, stream);
        assertThat(stream.heard).isEmpty(); // never from inside the call
        peer.listen();

        assertThat(stream.heard).containsExactly("early ", "bytes", "|", "END");
        assertThat(peer.seen).endsWith("HEADERS 1 200");
    }

    @Test
    void dropsEarlyBytesOfARefusedStream() {
        peer.connect(1);
        peer.data(1, "early", false);
        pending.getFirst().refuse(503);
        peer.listen();
        peer.data(1, "late", false);

        assertThat(peer.seen).endsWith("HEADERS 1 503 END", "RST 1 NO_ERROR");
    }

    @Test
    void keepsTheOtherDirectionAfterHalfClose() {
        peer.connect(1);
        var accepted = accept(0);
        peer.data(1, "request", true);
        accepted.write(text("answer"));
        accepted.flush();
        peer.listen();
        accepted.endStream();
        peer.listen();

        assertThat(stream.heard).containsExactly("request", "|", "END", "FINISHED");
        assertThat(peer.seen).endsWith("HEADERS 1 200", "DATA 1 answer", "DATA 1  END");
    }

    /// Hazard T10: what was delivered stays, and the peer merely reads no more.
    @Test
    void tellsAResetAfterTheEndOfDataFromOneBeforeIt() {
        peer.connect(1);
        accept(0);
        peer.data(1, "all", true);
        peer.reset(1, NO_ERROR);

        assertThat(stream.heard).containsExactly("all", "|", "END", "RESET NO_ERROR");
    }

    @Test
    void sendsWhatIsQueuedBeforeAReset() {
        peer.connect(1);
        var accepted = accept(0);
        accepted.write(text("tail"));
        accepted.reset(Http2Error.CONNECT_ERROR.code());
        peer.listen();

        assertThat(peer.seen).endsWith("DATA 1 tail", "RST 1 CONNECT_ERROR");
        assertThat(stream.heard).isEmpty();
    }

    @Test
    void stopsAtThePeersWindowAndGoesOnWhenItOpens() {
        peer.connect(1);
        var accepted = accept(0);
        accepted.write(Unpooled.wrappedBuffer(new byte[65_535]));
        accepted.write(text("more"));
        assertThat(accepted.isWritable()).isFalse();
        accepted.flush();
        peer.listen();
        assertThat(peer.seen).noneMatch(frame -> frame.contains("more"));

        peer.send((frames, ctx) -> frames.writeWindowUpdate(ctx, 0, 1 << 20, ctx.newPromise()));
        peer.send((frames, ctx) -> frames.writeWindowUpdate(ctx, 1, 1 << 20, ctx.newPromise()));

        assertThat(peer.seen).endsWith("DATA 1 more");
        assertThat(stream.heard).contains("WRITABLE");
    }

    /// No credit is given for bytes that the application did not take.
    @Test
    void creditsHalfAWindowAtATime() {
        peer.connect(1);
        var accepted = accept(0);
        var chunk = "x".repeat(8_192);
        int chunks = (2 << 20) / chunk.length() + 1;
        for (int i = 0; i < chunks; i++) {
            peer.data(1, chunk, false);
        }
        assertThat(peer.seen).noneMatch(frame -> frame.startsWith("WINDOW 1"));

        for (int i = 0; i < chunks; i++) {
            accepted.credit(chunk.length());
        }
        peer.listen();

        assertThat(peer.seen.stream().filter(frame -> frame.startsWith("WINDOW 1")))
                .hasSize(1);
    }

    /// Hazard T1.
    @Test
    void closesOnRapidReset() {
        var abandoned = new ArrayList<Integer>();
        for (int i = 0; i < 1000 && peer.tunnel.isOpen(); i++) {
            int index = i;
            peer.connect(2 * i + 1);
            if (pending.size() > index) {
                pending.get(index).whenAbandoned(() -> abandoned.add(index));
            }
            peer.reset(2 * i + 1, CANCEL);
        }

        assertThat(peer.tunnel.isOpen()).isFalse();
        assertThat(peer.seen).endsWith("GOAWAY ENHANCE_YOUR_CALM");
        assertThat(requests).hasSize(200);
        assertThat(abandoned).hasSize(200);
    }

    /// RFC 9113, 5.1: frames that were on their way when we reset a stream are no error.
    @Test
    void toleratesWhatWasOnItsWayWhenWeReset() {
        for (int i = 0; i < 300; i++) {
            peer.connect(2 * i + 1);
            accept(i).reset(Http2Error.CONNECT_ERROR.code());
            peer.listen();
            peer.data(2 * i + 1, "late", false);
        }

        assertThat(peer.tunnel.isOpen()).isTrue();
        assertThat(peer.seen).noneMatch(frame -> frame.contains("STREAM_CLOSED"));
    }

    /// Hazard T5: 16 KiB decoded, whatever it took on the wire.
    @Test
    void refusesHeaderBombs() {
        var headers = new DefaultHttp2Headers().method("CONNECT").authority("10.0.0.7:80");
        var value = "x".repeat(1000);
        for (int i = 0; i < 30; i++) {
            headers.add("bomb", value);
        }
        peer.headers(1, headers, false);

        assertThat(requests).isEmpty();
    }

    /// Hazard T11.
    @Test
    void asksASilentPeerAndGivesItUp() {
        peer.connect(1);
        accept(0);
        peer.tunnel.freezeTime();
        peer.tunnel.advanceTimeBy(10_100, TimeUnit.MILLISECONDS);
        peer.tunnel.runScheduledPendingTasks();
        peer.listen();
        assertThat(peer.seen).endsWith("PING");

        peer.tunnel.advanceTimeBy(19_000, TimeUnit.MILLISECONDS);
        peer.tunnel.runScheduledPendingTasks();

        assertThat(peer.tunnel.isOpen()).isFalse();
        assertThat(stream.heard).containsExactly("RESET CONNECT_ERROR");
    }

    /// Hazard T11, of a peer that answers and says nothing else, for as long as it likes.
    @Test
    void asksASilentPeerAgainAndAgainAndKeepsTheTunnelWhileItAnswers() {
        peer.connect(1);
        accept(0);
        peer.tunnel.freezeTime();
        for (int minute = 0; minute < 10; minute++) {
            peer.seen.clear();
            for (int second = 0; second < 60; second++) {
                peer.tunnel.advanceTimeBy(1, TimeUnit.SECONDS);
                peer.tunnel.runScheduledPendingTasks();
                peer.listen();
                if (peer.seen.contains("PING")) {
                    assertThat(peer.seen).containsExactly("PING");
                    peer.seen.clear();
                    peer.bytes(WireFrames.frame(
                            WireFrames.PING, WireFrames.ACK, 0, Unpooled.copyLong(TunnelHandler.KEEPALIVE_PING)));
                }
            }
            assertThat(peer.tunnel.isOpen()).as("after minute %d", minute).isTrue();
        }

        peer.tunnel.advanceTimeBy(10, TimeUnit.SECONDS);
        peer.tunnel.runScheduledPendingTasks();
        peer.tunnel.advanceTimeBy(18, TimeUnit.SECONDS);
        peer.tunnel.runScheduledPendingTasks();
        assertThat(peer.tunnel.isOpen()).as("28 s after the last answer").isFalse();
    }

    /// Hazard T17; RFC 9113, 6.8.
    @Test
    void drainsInTwoSteps() {
        peer.connect(1);
        var accepted = accept(0);
        server.drain();
        peer.listen();
        assertThat(peer.seen).endsWith("GOAWAY NO_ERROR", "PING");

        peer.connect(3); // crossed the first GOAWAY
        assertThat(requests).hasSize(2);
        peer.tunnel.advanceTimeBy(1100, TimeUnit.MILLISECONDS);
        peer.tunnel.runScheduledPendingTasks();
        peer.listen();
        peer.connect(5);

        assertThat(requests).hasSize(2);
        assertThat(accepted.isWritable()).isTrue();
        assertThat(peer.tunnel.isOpen()).isTrue();
    }
}
