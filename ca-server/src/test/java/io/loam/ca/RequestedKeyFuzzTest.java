package io.loam.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.PeerIdentities;
import io.loam.protocol.tls.Pem;
import java.nio.file.Path;
import java.security.KeyPair;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.ExtensionsGenerator;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard I3: whatever a request says, what is issued bears the granted name only.
class RequestedKeyFuzzTest {
    private static final SpiffeId CART = new SpiffeId("cluster.local", "shop", "cart");
    private static final int REQUESTS = 10_000;

    @TempDir
    Path directory;

    @Test
    void issuesNothingButTheGrantedNameForTenThousandMutatedRequests() throws Exception {
        long seed = Long.getLong("loam.fuzz.seed", System.nanoTime());
        var random = new Random(seed);
        var authority = CertificateAuthority.openOrCreate(directory, InstantSource.system());
        var keys = List.of(Csrs.ec("secp256r1"), Csrs.ec("secp384r1"), Csrs.rsa(2048));
        int issued = 0;
        for (int i = 0; i < REQUESTS; i++) {
            var description = "seed " + seed + " (set loam.fuzz.seed), request " + i;
            var request = request(random, keys);
            try {
                var leaf = authority
                        .issueWorkload(CART, request, Duration.ofSeconds(random.nextInt()))
                        .leaf();
                issued++;
                assertThat(leaf.getSubjectAlternativeNames())
                        .as(description)
                        .containsExactly(List.of(6, CART.toString()));
                assertThat(PeerIdentities.of(leaf)).as(description).contains(CART);
                assertThat(leaf.getSubjectX500Principal().getName())
                        .as(description)
                        .isEmpty();
                assertThat(leaf.getBasicConstraints()).as(description).isEqualTo(-1);
                assertThat(leaf.getKeyUsage()[5]).as(description).isFalse();
                assertThat(leaf.getPublicKey().getAlgorithm()).as(description).isEqualTo("EC");
                assertThat(leaf.getNotAfter().toInstant())
                        .as(description)
                        .isBefore(Instant.now()
                                .plus(CertificateAuthority.MAX_VALIDITY)
                                .plusSeconds(60));
            } catch (RequestRefusedException e) {
                assertThat(e.getMessage()).as(description).isNotEmpty();
            }
        }
        System.out.printf(
                "hazard I3: %d mutated requests, %d certificates, each with the granted name only%n", REQUESTS, issued);
        assertThat(issued).as("seed %d: requests that were sound", seed).isBetween(500, REQUESTS / 2);
    }

    @Test
    void refusesKeysThatAreTooWeakOrOfAnotherKind() throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, InstantSource.system());

        for (var request : List.of(
                Csrs.plain(Csrs.rsa(1024), "SHA256withRSA"),
                Csrs.plain(Csrs.rsa(2048), "SHA256withRSA"),
                Csrs.plain(Csrs.ec("secp256r1"), "SHA1withECDSA"))) {
            assertThatThrownBy(() -> authority.issueWorkload(CART, request, Duration.ZERO))
                    .isInstanceOf(RequestRefusedException.class)
                    .hasMessageContaining("expected:");
        }
    }

    @Test
    void refusesASignatureOfAnotherKey() throws Exception {
        var authority = CertificateAuthority.openOrCreate(directory, InstantSource.system());
        var request = Csrs.request(Csrs.ec("secp256r1"), Csrs.ec("secp256r1"), "SHA256withECDSA", "CN=x", null, null);

        assertThatThrownBy(() -> authority.issueWorkload(CART, Pem.encode(request), Duration.ZERO))
                .isInstanceOf(RequestRefusedException.class)
                .hasMessageContaining("wrong signature");
    }

    /// A request with names, extensions and subjects it should not have; half of them damaged afterwards.
    private static String request(Random random, List<KeyPair> keys) throws Exception {
        var extensions = new ExtensionsGenerator();
        if (random.nextBoolean()) {
            extensions.addExtension(Extension.basicConstraints, true, new BasicConstraints(random.nextInt(3)));
        }
        if (random.nextBoolean()) {
            extensions.addExtension(Extension.keyUsage, random.nextBoolean(), new KeyUsage(KeyUsage.keyCertSign));
        }
        var names = new GeneralNames(new GeneralName[] {
            new GeneralName(GeneralName.uniformResourceIdentifier, "spiffe://cluster.local/ns/kube-system/sa/admin"),
            new GeneralName(GeneralName.dNSName, "bank.example"),
            new GeneralName(GeneralName.uniformResourceIdentifier, CART.toString())
        });
        var pair = keys.get(random.nextInt(keys.size()));
        var other = keys.get(random.nextInt(keys.size()));
        var signedBy = random.nextInt(4) == 0 ? other : pair;
        var algorithm = signedBy.getPrivate().getAlgorithm().equals("RSA")
                ? "SHA256withRSA"
                : random.nextBoolean() ? "SHA256withECDSA" : "SHA384withECDSA";
        var encoded = Csrs.request(pair, signedBy, algorithm, "CN=admin,O=bank", names, extensions)
                .getEncoded();
        if (random.nextBoolean()) {
            for (int flips = 1 + random.nextInt(4); flips > 0; flips--) {
                encoded[random.nextInt(encoded.length)] ^= (byte) (1 << random.nextInt(8));
            }
        }
        var length = random.nextInt(20) == 0 ? random.nextInt(encoded.length) : encoded.length;
        var type = random.nextInt(50) == 0 ? "EC PRIVATE KEY" : "CERTIFICATE REQUEST";
        return "-----BEGIN " + type + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(Arrays.copyOf(encoded, length))
                + "\n-----END " + type + "-----\n";
    }
}
