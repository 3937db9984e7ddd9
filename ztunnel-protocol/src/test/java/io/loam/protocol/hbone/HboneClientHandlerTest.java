package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Settings;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class HboneClientHandlerTest {
    private static final ConnectRequest REQUEST = ConnectRequest.to("10.0.0.7:8080");

    private final List<String> tunnelHeard = new ArrayList<>();
    private final RecordingListener stream = new RecordingListener();
    private final List<ConnectFailure> failures = new ArrayList<>();
    private final HboneClientHandler client = HboneClientHandler.create(new Tunnel.Listener() {
        @Override
        public void onReady(Tunnel tunnel) {
            tunnelHeard.add("ready");
        }

        @Override
        public void onRoom(Tunnel tunnel) {
            tunnelHeard.add("room");
        }

        @Override
        public void onDraining(Tunnel tunnel) {
            tunnelHeard.add("draining");
        }
    });
    private final RawPeer peer = RawPeer.serverOf(client);

    @AfterEach
    void close() {
        peer.close();
    }

    private PendingConnect open() {
        return open(REQUEST);
    }

    private PendingConnect open(ConnectRequest request) {
        var asked = client.open(request, new StreamOpening() {
            @Override
            public TunnelStream.Listener onOpened(TunnelStream opened, ConnectResponse response) {
                return stream;
            }

            @Override
            public void onFailed(ConnectFailure failure) {
                failures.add(failure);
            }

            @Override
            public void onBug(Throwable cause) {
                throw new AssertionError(cause);
            }
        });
        peer.listen();
        return asked;
    }

    private void answer(int id, String status, boolean endOfStream) {
        peer.headers(id, new DefaultHttp2Headers().status(status), endOfStream);
    }

    @Test
    void asksWithMethodAndAuthorityOnly() {
        open();

        assertThat(tunnelHeard).containsExactly("ready");
        assertThat(peer.seen).endsWith("HEADERS 3 CONNECT 10.0.0.7:8080");
    }

    /// RFC 7541, 6.2.3. What no later connection has in common with this one is not entered into the table of 4 KiB:
    /// 20 connections would push everything else out of it.
    @Test
    void fieldsOfOneConnectionLeaveTheBaggageInTheTable() {
        var baggage = "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=web".repeat(4);
        var sizes = new ArrayList<Integer>();
        for (int i = 10; i < 60; i++) {
            int before = peer.receivedBytes;
            open(new ConnectRequest(
                    "10.0.0.7:8080", baggage, "for=\"10.0.0.1:400" + i + "\"", "00-" + "ab".repeat(24) + i + "-01"));
            sizes.add(peer.receivedBytes - before);
        }

        assertThat(sizes.getFirst() - sizes.getLast()).isGreaterThan(baggage.length());
        assertThat(sizes.subList(1, sizes.size())).containsOnly(sizes.getLast());
        assertThat(peer.seen).endsWith("HEADERS 101 CONNECT 10.0.0.7:8080");
    }

    @Test
    void opensOn200() {
        open();
        answer(3, "200", false);
        peer.data(3, "hello", true);

        assertThat(stream.heard).containsExactly("hello", "|", "END");
        assertThat(failures).isEmpty();
    }

    /// Wire reference, 2.3: every other status is a refusal, 204 included.
    @Test
    void takesEveryOtherStatusForARefusal() {
        open();
        answer(3, "503", true);
        open();
        answer(5, "204", false);

        assertThat(failures)
                .containsExactly(new ConnectFailure.RefusedStatus(503), new ConnectFailure.RefusedStatus(204));
        assertThat(peer.seen).endsWith("RST 5 CANCEL");
    }

    @Test
    void aStreamThatGoAwayLeavesOutMayBeAskedForAgain() {
        open();
        peer.send((frames, ctx) -> frames.writeGoAway(ctx, 0, 0, Unpooled.EMPTY_BUFFER, ctx.newPromise()));

        assertThat(failures).containsExactly(new ConnectFailure.TunnelDraining());
        assertThat(failures.getFirst().mayRetry()).isTrue();
        assertThat(tunnelHeard).contains("draining");
        assertThat(client.isDraining()).isTrue();
    }

    @Test
    void streamsThatThePeerKnowsOutliveItsGoAway() {
        open();
        answer(3, "200", false);
        peer.send((frames, ctx) -> frames.writeGoAway(ctx, 3, 0, Unpooled.EMPTY_BUFFER, ctx.newPromise()));
        peer.data(3, "still here", false);

        assertThat(stream.heard).containsExactly("still here", "|");
        assertThat(peer.tunnel.isOpen()).isTrue();
    }

    @Test
    void keepsThePeersStreamLimit() {
        peer.send((frames, ctx) ->
                frames.writeSettings(ctx, new Http2Settings().maxConcurrentStreams(1), ctx.newPromise()));
        open();
        open();

        assertThat(client.maxStreams()).isEqualTo(1);
        assertThat(failures).containsExactly(new ConnectFailure.TunnelFull(1));
    }

    @Test
    void aCancelledRequestIsResetAndHearsNothing() {
        open().cancel();
        peer.listen();
        answer(3, "200", false);

        assertThat(peer.seen).endsWith("RST 3 CANCEL");
        assertThat(stream.heard).isEmpty();
        assertThat(failures).isEmpty();
    }

    @Test
    void aRefusedStreamMayBeAskedForAgain() {
        open();
        peer.reset(3, Http2Error.REFUSED_STREAM.code());

        assertThat(failures).containsExactly(new ConnectFailure.ResetBeforeAnswer(Http2Error.REFUSED_STREAM.code()));
        assertThat(failures.getFirst().mayRetry()).isTrue();
    }

    @Test
    void theEndOfTheConnectionEndsItsStreams() {
        open();
        answer(3, "200", false);
        open();
        var _ = peer.tunnel.close();

        assertThat(stream.heard).containsExactly("RESET CONNECT_ERROR");
        assertThat(failures).hasSize(1).first().isInstanceOf(ConnectFailure.TunnelLost.class);
    }
}
