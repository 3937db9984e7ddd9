package io.loam.lab.token;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.token.TokenVerifier;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TokenIssuerTest {
    private static final InstantSource CLOCK = InstantSource.system();

    @TempDir
    Path directory;

    @Test
    void issuesTokensThatVerifyAndNameThePodAndItsNode() throws Exception {
        var issuer = TokenIssuer.openOrCreate(directory, CLOCK);
        var verifier = TokenVerifier.of(issuer.jwks(), issuer.issuer(), Set.of("istio-ca"), CLOCK);

        var token = verifier.verify(issuer.issue(request()));

        assertThat(token.namespace()).isEqualTo("shop");
        assertThat(token.serviceAccount()).isEqualTo("cart");
        assertThat(token.podName()).isEqualTo("cart-1");
        assertThat(token.podUid()).isEqualTo("pod-uid");
        assertThat(token.nodeName()).isEqualTo("node-1");
    }

    @Test
    void keepsItsKeyForTheOwnerAcrossRestarts() throws Exception {
        var token = TokenIssuer.openOrCreate(directory, CLOCK).issue(request());

        var restarted = TokenIssuer.openOrCreate(directory, CLOCK);

        var verifier = TokenVerifier.of(restarted.jwks(), restarted.issuer(), Set.of("istio-ca"), CLOCK);
        assertThat(verifier.verify(token).podName()).isEqualTo("cart-1");
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(directory.resolve("token-key.json"))))
                .isEqualTo("rw-------");
        assertThat(restarted.jwks().toString()).doesNotContain("\"d\"");
    }

    private static TokenRequest request() {
        return new TokenRequest(
                "shop",
                "cart",
                "sa-uid",
                "cart-1",
                "pod-uid",
                "node-1",
                "node-uid",
                List.of("istio-ca"),
                Duration.ofHours(12));
    }
}
