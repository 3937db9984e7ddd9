package io.loam.protocol.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.RSASSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.PlainJWT;
import com.nimbusds.jwt.SignedJWT;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

class TokenVerifierTest {
    private static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");
    private static final String ISSUER = "https://kubernetes.default.svc";
    private static final ECKey EC = ec("ec");
    private static final RSAKey RSA = rsa();

    @TempDir
    private Path folder = Path.of("");

    private final TokenVerifier verifier = TokenVerifier.of(
            new JWKSet(List.of(EC, RSA)), ISSUER, Set.of("istio-ca", "loam-ca"), InstantSource.fixed(NOW));

    @Test
    void readsPodNodeAndAccount() throws Exception {
        var token = verifier.verify(signed(claims(c -> c)));

        assertThat(token.namespace()).isEqualTo("loam-system");
        assertThat(token.serviceAccount()).isEqualTo("node-agent");
        assertThat(token.podName()).isEqualTo("agent-x");
        assertThat(token.podUid()).isEqualTo("uid-x");
        assertThat(token.nodeName()).isEqualTo("node-1");
        assertThat(token.audiences()).containsExactly("istio-ca");
        assertThat(token.expiresAt()).isEqualTo(NOW.plusSeconds(600));
    }

    @Test
    void takesRsaTokens() throws Exception {
        var token = sign(JWSAlgorithm.RS256, "rsa", new RSASSASigner(RSA), claims(c -> c));

        assertThat(verifier.verify(token).serviceAccount()).isEqualTo("node-agent");
    }

    @Test
    void toleratesAMinuteBetweenTheClocks() throws Exception {
        verifier.verify(signed(claims(c -> c.expirationTime(at(-59)))));
        verifier.verify(signed(claims(c -> c.notBeforeTime(at(59)).issueTime(at(59)))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refused")
    void refuses(String what, UnaryOperator<JWTClaimsSet.Builder> change) throws Exception {
        var token = signed(claims(change));

        assertThatThrownBy(() -> verifier.verify(token)).as(what).isInstanceOf(TokenRefusedException.class);
    }

    static Stream<Arguments> refused() {
        return Stream.<Map.Entry<String, UnaryOperator<JWTClaimsSet.Builder>>>of(
                        Map.entry("expired", c -> c.expirationTime(at(-60))),
                        Map.entry("without expiry", c -> c.expirationTime(null)),
                        Map.entry("not yet valid", c -> c.notBeforeTime(at(61))),
                        Map.entry("issued in the future", c -> c.issueTime(at(61))),
                        Map.entry("another issuer", c -> c.issuer("https://evil.example")),
                        Map.entry("without issuer", c -> c.issuer(null)),
                        Map.entry("another audience", c -> c.audience("api")),
                        Map.entry("without audience", c -> c.audience((String) null)),
                        Map.entry("without subject", c -> c.subject(null)),
                        Map.entry("a user", c -> c.subject("system:node:node-1")),
                        Map.entry("short subject", c -> c.subject("system:serviceaccount:loam-system")),
                        Map.entry("long subject", c -> c.subject("system:serviceaccount:loam-system:node-agent:x")),
                        Map.entry(
                                "subject and claim differ", c -> c.subject("system:serviceaccount:loam-system:other")))
                .map(entry -> Arguments.of(entry.getKey(), entry.getValue()));
    }

    @Test
    void refusesAnotherIssuersSignature() throws Exception {
        var token = sign(JWSAlgorithm.ES256, "ec", new ECDSASigner(ec("ec")), claims(c -> c));

        assertThatThrownBy(() -> verifier.verify(token)).hasMessage("wrong signature");
    }

    /// The classic: the public key as the secret of a symmetric signature, and no signature at all.
    @Test
    void theTokenDoesNotChooseItsAlgorithm() throws Exception {
        var secret = RSA.toRSAPublicKey().getEncoded();
        var symmetric = sign(JWSAlgorithm.HS256, "rsa", new MACSigner(secret), claims(c -> c));
        var none = new PlainJWT(claims(c -> c)).serialize();

        assertThatThrownBy(() -> verifier.verify(symmetric)).hasMessageContaining("no key of the issuer");
        assertThatThrownBy(() -> verifier.verify(none)).hasMessageContaining("not a signed JWT");
        assertThatThrownBy(() -> verifier.verify("")).isInstanceOf(TokenRefusedException.class);
        assertThatThrownBy(() -> verifier.verify("a.b.c")).isInstanceOf(TokenRefusedException.class);
        assertThatThrownBy(() -> verifier.verify("x".repeat(20_000))).isInstanceOf(TokenRefusedException.class);
    }

    @Test
    void refusedTokensAreNotRepeatedInTheMessage() throws Exception {
        var token = signed(claims(c -> c.expirationTime(at(-600))));

        assertThatThrownBy(() -> verifier.verify(token))
                .hasMessageNotContaining(token)
                .hasMessageNotContaining(token.substring(token.lastIndexOf('.')));
    }

    @Test
    void followsItsKeyFile() throws Exception {
        var next = ec("next");
        var file = Files.writeString(folder.resolve("jwks.json"), new JWKSet(EC).toString());
        var verifier = TokenVerifier.ofFile(file, ISSUER, Set.of("istio-ca"), InstantSource.fixed(NOW));
        verifier.verify(signed(claims(c -> c)));

        Files.writeString(file, new JWKSet(List.of(next, RSA)).toString());
        verifier.verify(sign(JWSAlgorithm.ES256, "next", new ECDSASigner(next), claims(c -> c)));
        assertThatThrownBy(() -> verifier.verify(signed(claims(c -> c)))).isInstanceOf(TokenRefusedException.class);

        Files.writeString(file, "half a fi");
        verifier.verify(sign(JWSAlgorithm.ES256, "next", new ECDSASigner(next), claims(c -> c)));
    }

    private static JWTClaimsSet claims(UnaryOperator<JWTClaimsSet.Builder> change) {
        var builder = new JWTClaimsSet.Builder()
                .issuer(ISSUER)
                .subject("system:serviceaccount:loam-system:node-agent")
                .audience("istio-ca")
                .expirationTime(at(600))
                .notBeforeTime(at(0))
                .issueTime(at(0))
                .claim(
                        "kubernetes.io",
                        Map.of(
                                "namespace", "loam-system",
                                "serviceaccount", Map.of("name", "node-agent", "uid", "sa-uid"),
                                "pod", Map.of("name", "agent-x", "uid", "uid-x"),
                                "node", Map.of("name", "node-1")));
        return change.apply(builder).build();
    }

    private static Date at(long seconds) {
        return Date.from(NOW.plusSeconds(seconds));
    }

    private static String signed(JWTClaimsSet claims) throws Exception {
        return sign(JWSAlgorithm.ES256, "ec", new ECDSASigner(EC), claims);
    }

    private static String sign(JWSAlgorithm algorithm, String keyId, JWSSigner signer, JWTClaimsSet claims)
            throws Exception {
        var jwt = new SignedJWT(new JWSHeader.Builder(algorithm).keyID(keyId).build(), claims);
        jwt.sign(signer);
        return jwt.serialize();
    }

    private static ECKey ec(String keyId) {
        try {
            return new ECKeyGenerator(Curve.P_256).keyID(keyId).generate();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static RSAKey rsa() {
        try {
            return new RSAKeyGenerator(2048).keyID("rsa").generate();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }
}
