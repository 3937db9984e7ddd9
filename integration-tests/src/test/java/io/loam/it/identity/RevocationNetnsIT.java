package io.loam.it.identity;

import static io.loam.it.bench.MeshBench.awaitValue;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import io.loam.it.lab.HazardFigures;
import io.loam.protocol.tls.Pem;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.Date;
import java.util.Map;
import java.util.Optional;
import org.bouncycastle.asn1.x509.CRLReason;
import org.bouncycastle.cert.jcajce.JcaX509v2CRLBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Hazard I6: a certificate is put on the list while a connection rides a tunnel that it proved. The connection is cut,
/// new ones are refused, at the side that looks at the certificate; when the list is empty again all is as before.
final class RevocationNetnsIT {
    private static final String CACHE = "shop/cache";
    private static final String CALLER = "shop/caller";
    private static final int REDIS = 6379;

    @TempDir
    private static Path folder = Path.of("");

    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        publish();
        bench = MeshBench.start(
                "itcrl",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + redis("shop", "cache", "two")
                                + caller("shop", "caller", "one")),
                Map.of("CRL_PATH", list().toString()));
        bench.awaitMesh(true, CACHE, CALLER);
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    @ParameterizedTest(name = "{0} revoked, {1} looks at it")
    @CsvSource({"cache,one,outbound,source", "caller,two,inbound,destination"})
    void aRevokedCertificateCutsTunnelsAndIsRefused(String revoked, String node, String direction, String reporter)
            throws Exception {
        awaitValue("connections", () -> answers() ? Optional.of(true) : Optional.empty());
        var log = bench.accessLog(node);
        try (var open = bench.connect(CALLER, bench.ipv4(CACHE), REDIS)) {
            assertThat(open.isAlive()).isTrue();
            long before = rejections(node, reporter);

            long began = System.nanoTime();
            publish(serial(revoked));
            assertThat(open.isCutWithin(5000)).isTrue();
            var took = Duration.ofNanos(System.nanoTime() - began);

            assertThat(took).isLessThan(Duration.ofSeconds(2));
            HazardFigures.reached(
                    "I6",
                    "certificate of the %s revoked: its open tunnel cut %d ms after the file changed"
                            .formatted(revoked, took.toMillis()));
            var cut = log.await(
                    line -> direction.equals(line.get("direction")) && "CERT_REVOKED".equals(line.get("code")));
            assertThat(cut.get("error")).isEqualTo("the peer's certificate is revoked");

            var later = bench.accessLog(node);
            assertThat(answers()).as("a new connection").isFalse();
            var refused = later.await(line -> "CERT_REVOKED".equals(line.get("code")));
            assertThat(refused.get("error"))
                    .contains("is revoked", serial(revoked).toString(16));
            assertThat(rejections(node, reporter)).isGreaterThanOrEqualTo(before + 2);
        } finally {
            publish();
        }
        awaitValue("connections as before", () -> answers() ? Optional.of(true) : Optional.empty());
    }

    private static boolean answers() {
        try (var connection = bench.connect(CALLER, bench.ipv4(CACHE), REDIS)) {
            return connection.isAlive();
        } catch (IOException _) {
            return false; // reset, as those are that the mesh refuses
        }
    }

    private static long rejections(String node, String reporter) throws IOException {
        var sample = "istio_crl_policy_rejections_total{reporter=\"" + reporter + "\"} ";
        return bench.metrics(node)
                .lines()
                .filter(line -> line.startsWith(sample))
                .mapToLong(line -> (long) Double.parseDouble(line.substring(sample.length())))
                .sum();
    }

    private static BigInteger serial(String account) throws IOException {
        for (var node : new String[] {"one", "two"}) {
            for (var certificate : bench.configDump(node).path("certificates")) {
                if (certificate.path("identity").asText().endsWith("/sa/" + account)) {
                    return new BigInteger(certificate
                            .path("certChain")
                            .path(0)
                            .path("serialNumber")
                            .asText());
                }
            }
        }
        throw new IOException("no agent has a certificate of " + account);
    }

    private static Path list() {
        return folder.resolve("crl.pem");
    }

    /// Put in place as a whole, as those do who distribute such files.
    private static void publish(BigInteger... serials) throws Exception {
        var next = folder.resolve("next.der");
        Files.write(next, serials.length == 0 ? new byte[0] : signed(serials));
        Files.move(next, list(), StandardCopyOption.ATOMIC_MOVE);
    }

    private static byte[] signed(BigInteger... serials) throws Exception {
        var keys = bench.lab().name().stateDir().resolve("ca");
        X509Certificate issuer =
                Pem.certificates(Files.readString(keys.resolve("ca-cert.pem"))).getFirst();
        var list = new JcaX509v2CRLBuilder(issuer, Date.from(Instant.now()));
        for (var serial : serials) {
            list.addCRLEntry(serial, Date.from(Instant.now()), CRLReason.keyCompromise);
        }
        var key = Pem.privateKey(Files.readString(keys.resolve("ca-key.pem")));
        return list.build(new JcaContentSignerBuilder("SHA256withECDSA").build(key))
                .getEncoded();
    }
}
