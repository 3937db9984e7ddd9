package io.loam.it.identity;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import io.loam.it.lab.HazardFigures;
import io.loam.lab.command.Command;
import java.io.IOException;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/// Hazard I10: certificates of 8 s end while the CA is away. Nothing goes on in plaintext; when the CA is back,
/// everything does.
final class ExpiredCertificateNetnsIT {
    private static final int REDIS = 6379;
    private static final Duration LIFE = Duration.ofSeconds(8);

    /// After which a tunnel without streams is gone.
    private static final Duration QUIET = Duration.ofSeconds(3);

    @Test
    void withoutAValidCertificateConnectionsAreRefusedWithTheReason() throws Exception {
        try (var bench = MeshBench.start(
                "itexpired",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + redis("shop", "cache", "two")
                                + caller("shop", "caller", "one")),
                // Tunnels are released soon, so that a connection after some quiet needs a handshake.
                Map.of("SECRET_TTL", LIFE.toSeconds() + "s", "POOL_UNUSED_RELEASE_TIMEOUT", "1s"))) {
            bench.awaitMesh(true, "shop/cache", "shop/caller");
            var marker = "expired-" + System.nanoTime();
            try (var link = bench.captureUplink(
                    "one", "host " + bench.ipv4("shop/caller").getHostAddress())) {
                assertThat(answers(bench, marker)).isTrue();
                var log = bench.accessLog("one");

                inFabric(
                        bench,
                        "add table inet outage; add chain inet outage input { type filter hook input priority 0; };"
                                + " add rule inet outage input tcp dport 15013 reject with tcp reset");
                var lastAsked = new AtomicLong(System.nanoTime());
                await("the certificates to end", LIFE.plusSeconds(40), () -> {
                    if (System.nanoTime() - lastAsked.get() < QUIET.toNanos()) {
                        return false; // asked all the time, the tunnel would live on
                    }
                    boolean answered = answers(bench, marker);
                    lastAsked.set(System.nanoTime());
                    return !answered
                            && log.find(line -> "NO_CERTIFICATE".equals(line.get("code")))
                                    .isPresent();
                });
                var refused = log.await(line -> "NO_CERTIFICATE".equals(line.get("code")));
                assertThat(refused.get("error")).contains("no certificate for spiffe://cluster.local/ns/shop/sa/");
                for (int i = 0; i < 5; i++) {
                    assertThat(answers(bench, marker)).isFalse();
                }

                inFabric(bench, "delete table inet outage");
                await("connections again", Duration.ofMinutes(2), () -> answers(bench, marker));
                var seen = link.stop();
                assertThat(seen.dropped()).isZero();
                assertThat(seen.containsPlaintext(marker)).isFalse();
                assertThat(seen.flowsTo(REDIS)).isEmpty();
                HazardFigures.reached(
                        "I10", "certificates ended with the CA away: refused with NO_CERTIFICATE, 0 plaintext bytes");
            }
        }
    }

    private static boolean answers(MeshBench bench, String marker) {
        try (var connection = bench.connect("shop/caller", bench.ipv4("shop/cache"), REDIS)) {
            return connection.ask("PING " + marker).equals(marker);
        } catch (IOException _) {
            return false; // reset, as those are that the mesh refuses
        }
    }

    private static void inFabric(MeshBench bench, String rules) throws IOException {
        Command.run(List.of("nsenter", "--net=" + bench.lab().fabricNetns(), "nft", rules));
    }
}
