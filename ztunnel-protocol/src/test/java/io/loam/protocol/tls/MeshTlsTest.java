package io.loam.protocol.tls;

import static io.loam.protocol.tls.CraftedCertificates.NOW;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CraftedCertificates.Leaf;
import io.loam.protocol.tls.PeerRefusedException.Reason;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.ssl.SslHandler;
import java.nio.charset.StandardCharsets;
import java.time.InstantSource;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class MeshTlsTest {
    private static final SpiffeId CART = new SpiffeId("cluster.local", "shop", "cart");
    private static final SpiffeId STOCK = new SpiffeId("cluster.local", "shop", "stock");
    private static final CraftedCertificates CA = new CraftedCertificates("root");
    private static final InstantSource CLOCK = InstantSource.fixed(NOW);

    private final EmbeddedChannel clientEnd = new EmbeddedChannel();
    private final EmbeddedChannel serverEnd = new EmbeddedChannel();

    @AfterEach
    void close() {
        clientEnd.finishAndReleaseAll();
        serverEnd.finishAndReleaseAll();
    }

    @Test
    void bothEndsLearnWhoTheOtherIs() throws Exception {
        var client = tls(CART).newClientHandler(UnpooledByteBufAllocator.DEFAULT, Set.of(STOCK));
        var server = tls(STOCK).newServerHandler(UnpooledByteBufAllocator.DEFAULT);
        handshake(client, server);

        assertThat(client.handshakeFuture().isSuccess()).isTrue();
        assertThat(server.handshakeFuture().isSuccess()).isTrue();
        assertThat(MeshTls.peer(client)).contains(STOCK);
        assertThat(MeshTls.peer(server)).contains(CART);
        assertThat(client.engine().getSession().getProtocol()).isEqualTo("TLSv1.3");
        assertThat(client.applicationProtocol()).isEqualTo("h2");
        assertThat(server.applicationProtocol()).isEqualTo("h2");
    }

    @Test
    void carriesBytesAfterwards() throws Exception {
        handshake(
                tls(CART).newClientHandler(UnpooledByteBufAllocator.DEFAULT, Set.of(STOCK)),
                tls(STOCK).newServerHandler(UnpooledByteBufAllocator.DEFAULT));

        clientEnd.writeOutbound(Unpooled.copiedBuffer("hello", StandardCharsets.US_ASCII));
        pump();

        ByteBuf received = serverEnd.readInbound();
        assertThat(received.toString(StandardCharsets.US_ASCII)).isEqualTo("hello");
        received.release();
    }

    @Test
    void clientRefusesAnotherServerAndSaysWhy() throws Exception {
        var client = tls(CART).newClientHandler(UnpooledByteBufAllocator.DEFAULT, Set.of(CART));
        var server = tls(STOCK).newServerHandler(UnpooledByteBufAllocator.DEFAULT);
        handshake(client, server);

        var refused = refusal(client);
        assertThat(refused.reason()).isEqualTo(Reason.UNEXPECTED_IDENTITY);
        assertThat(refused).hasMessageContaining(STOCK.toString()).hasMessageContaining(CART.toString());
        assertThat(MeshTls.peer(client)).isEmpty();
        assertThat(server.handshakeFuture().isSuccess()).isFalse();
    }

    @Test
    void serverRefusesAForeignTrustDomainAndSaysWhy() throws Exception {
        var foreign = new SpiffeId("other.example", "shop", "cart");
        var client = tls(foreign).newClientHandler(UnpooledByteBufAllocator.DEFAULT, Set.of(STOCK));
        var server = tls(STOCK).newServerHandler(UnpooledByteBufAllocator.DEFAULT);
        handshake(client, server);

        var refused = refusal(server);
        assertThat(refused.reason()).isEqualTo(Reason.FOREIGN_TRUST_DOMAIN);
        assertThat(MeshTls.peer(server)).isEmpty();
    }

    @Test
    void serverRefusesAnExpiredClient() throws Exception {
        var expired = CA.issue(new Leaf().uri(CART.toString()).valid(NOW.minusSeconds(7200), NOW.minusSeconds(3600)));
        var bundle = CertificateBundle.of(expired.key(), List.of(expired.certificate()), List.of(CA.root()));
        var client = MeshTls.of(bundle, CLOCK).newClientHandler(UnpooledByteBufAllocator.DEFAULT, Set.of(STOCK));
        var server = tls(STOCK).newServerHandler(UnpooledByteBufAllocator.DEFAULT);
        handshake(client, server);

        var refused = refusal(server);
        assertThat(refused.reason()).isEqualTo(Reason.UNTRUSTED_CHAIN);
    }

    /// Resumption would skip the check of the certificate: the second connection is a full handshake with a new
    /// session.
    @Test
    void neverResumesASession() throws Exception {
        var clientTls = tls(CART);
        var serverTls = tls(STOCK);
        for (int round = 0; round < 2; round++) {
            var from = new EmbeddedChannel();
            var to = new EmbeddedChannel();
            var client = clientTls.newClientHandler(UnpooledByteBufAllocator.DEFAULT, Set.of(STOCK));
            handshake(from, to, client, serverTls.newServerHandler(UnpooledByteBufAllocator.DEFAULT));

            assertThat(MeshTls.peer(client)).contains(STOCK); // set by the check, never carried over
            assertThat(client.engine().getSession().getPeerCertificates()).hasSize(1);
            from.finishAndReleaseAll();
            to.finishAndReleaseAll();
        }
    }

    @Test
    void keysDoNotShow() throws Exception {
        var bundle = CA.bundle(CART.toString(), CA.root());
        var secret = ((java.security.interfaces.ECPrivateKey) bundle.privateKey()).getS();

        assertThat(bundle.toString())
                .contains(CART.toString())
                .doesNotContain(secret.toString())
                .doesNotContain(secret.toString(16))
                .doesNotContainIgnoringCase("key");
    }

    private static PeerRefusedException refusal(SslHandler handler) {
        var failure = handler.handshakeFuture().cause();
        return Objects.requireNonNull(PeerRefusedException.in(failure), () -> "no refusal in " + failure);
    }

    private static MeshTls tls(SpiffeId identity) throws Exception {
        return MeshTls.of(CA.bundle(identity.toString(), CA.root()), CLOCK);
    }

    private void handshake(SslHandler client, SslHandler server) {
        handshake(clientEnd, serverEnd, client, server);
    }

    private static void handshake(EmbeddedChannel from, EmbeddedChannel to, SslHandler client, SslHandler server) {
        to.pipeline().addLast(server);
        from.pipeline().addLast(client);
        pump(from, to);
    }

    private void pump() {
        pump(clientEnd, serverEnd);
    }

    /// Moves what one end has written to the other until both are silent.
    private static void pump(EmbeddedChannel from, EmbeddedChannel to) {
        boolean moved = true;
        while (moved) {
            from.runPendingTasks();
            to.runPendingTasks();
            moved = move(from, to);
            moved |= move(to, from);
        }
    }

    private static boolean move(EmbeddedChannel from, EmbeddedChannel to) {
        boolean moved = false;
        for (ByteBuf bytes = from.readOutbound(); bytes != null; bytes = from.readOutbound()) {
            moved = true;
            try {
                to.writeInbound(bytes);
            } catch (Exception _) { // a refused handshake; the tests look at the handshake's future
            }
        }
        return moved;
    }
}
