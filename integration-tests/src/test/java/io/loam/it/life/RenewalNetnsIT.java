package io.loam.it.life;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.Load;
import io.loam.it.bench.MeshBench;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/// Hazard I7, scaled down: certificates of 10 s under traffic, for as long as the first ones live and 5 s more.
/// `-Dloam.it.renewalSeconds` = 300 is the hazard's figure.
final class RenewalNetnsIT {
    private static final Duration LOAD = Duration.ofSeconds(Integer.getInteger("loam.it.renewalSeconds", 15));

    @Test
    void certificatesAreRenewedUnderTraffic() throws Exception {
        try (var bench = MeshBench.start(
                "itrenew",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + redis("shop", "cache", "two")
                                + caller("shop", "caller", "one")),
                // Tunnels are released at once, so that new handshakes meet new certificates.
                Map.of("SECRET_TTL", "10s", "POOL_UNUSED_RELEASE_TIMEOUT", "1s"))) {
            bench.awaitMesh(true, "shop/cache", "shop/caller");
            var serials = new TreeSet<String>();
            try (var load = Load.start(bench.lab().podNetns("shop/caller"), bench.ipv4("shop/cache"), 2, "renewed");
                    var open = bench.connect("shop/caller", bench.ipv6("shop/cache"), 6379)) {
                long until = System.nanoTime() + LOAD.toNanos();
                await("the load to have lasted", Duration.ofSeconds(LOAD.toSeconds() + 20), () -> {
                    serials.add(serial(bench));
                    return System.nanoTime() - until > 0;
                });
                assertThat(open.isAlive())
                        .as("a connection older than all certificates")
                        .isTrue();
                load.stop();
                System.out.printf(
                        "hazard I7: %d of %d requests failed in %d s with certificates of 10 s; %d serials seen, "
                                + "longest gap %d ms%n",
                        load.failures().size(),
                        load.succeeded(),
                        LOAD.toSeconds(),
                        serials.size(),
                        load.longestGap().toMillis());
                assertThat(load.failures()).isEmpty();
                assertThat(serials).hasSizeGreaterThan(2);
            }
        }
    }

    private static String serial(MeshBench bench) throws IOException {
        for (var certificate : bench.configDump("two").path("certificates")) {
            if (certificate.path("identity").asText().endsWith("/sa/cache")) {
                return certificate
                        .path("certChain")
                        .path(0)
                        .path("serialNumber")
                        .asText();
            }
        }
        throw new IOException("the agent of node two has no certificate of the redis");
    }
}
