package io.loam.protocol.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.crypto.RSASSAVerifier;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Checks service-account tokens (JWT) against the issuer's public keys (JWKS), as a Kubernetes API server's.
///
/// Which algorithm is acceptable follows from the key, never from the token: an RSA key verifies RS256, RS384 and
/// RS512, a P-256 key ES256 and so on; `none` and the HMAC family have no key here. Tokens without an expiry are
/// refused.
///
/// Reading a key file blocks: not for event loops. Safe for all threads.
public final class TokenVerifier {
    private static final Logger LOG = LoggerFactory.getLogger(TokenVerifier.class);

    /// Tolerated difference between the issuer's clock and ours.
    public static final Duration LEEWAY = Duration.ofSeconds(60);

    private static final int MAX_TOKEN_CHARS = 16 * 1024;
    private static final Set<JWSAlgorithm> RSA = Set.of(JWSAlgorithm.RS256, JWSAlgorithm.RS384, JWSAlgorithm.RS512);
    private static final String SUBJECT_PREFIX = "system:serviceaccount:";

    private final Supplier<JWKSet> keys;
    private final String issuer;
    private final Set<String> audiences;
    private final InstantSource clock;

    private TokenVerifier(Supplier<JWKSet> keys, String issuer, Set<String> audiences, InstantSource clock) {
        if (audiences.isEmpty()) {
            throw new IllegalArgumentException("audiences: none (expected: at least one, for example istio-ca)");
        }
        this.keys = keys;
        this.issuer = issuer;
        this.audiences = Set.copyOf(audiences);
        this.clock = clock;
    }

    /// @param issuer the `iss` that tokens must have
    /// @param audiences a token must be for at least one of them
    public static TokenVerifier of(JWKSet keys, String issuer, Set<String> audiences, InstantSource clock) {
        var publicKeys = keys.toPublicJWKSet();
        return new TokenVerifier(() -> publicKeys, issuer, audiences, clock);
    }

    /// Reads the keys from a JWKS file, again whenever it has changed; while it is unreadable the last good keys count.
    ///
    /// @throws IOException if the file cannot be read now
    public static TokenVerifier ofFile(Path jwks, String issuer, Set<String> audiences, InstantSource clock)
            throws IOException {
        return new TokenVerifier(new KeyFile(jwks), issuer, audiences, clock);
    }

    /// @param token the compact form, without `Bearer `
    /// @throws TokenRefusedException with the reason, for our log
    public ServiceAccountToken verify(String token) throws TokenRefusedException {
        if (token.length() > MAX_TOKEN_CHARS) {
            throw new TokenRefusedException(token.length() + " characters (expected: <= " + MAX_TOKEN_CHARS + ")");
        }
        JWTClaimsSet claims;
        try {
            var jwt = SignedJWT.parse(token);
            verifySignature(jwt);
            claims = jwt.getJWTClaimsSet();
        } catch (ParseException e) {
            throw new TokenRefusedException("not a signed JWT", e);
        } catch (JOSEException e) {
            throw new TokenRefusedException("signature cannot be checked", e);
        }
        return checked(claims);
    }

    private void verifySignature(SignedJWT jwt) throws JOSEException, TokenRefusedException {
        var algorithm = jwt.getHeader().getAlgorithm();
        var keyId = jwt.getHeader().getKeyID();
        boolean tried = false;
        for (var key : keys.get().getKeys()) {
            if (keyId != null && key.getKeyID() != null && !keyId.equals(key.getKeyID())) {
                continue;
            }
            var verifier = verifier(key, algorithm);
            if (verifier == null) {
                continue;
            }
            tried = true;
            if (jwt.verify(verifier)) {
                return;
            }
        }
        throw new TokenRefusedException(
                tried ? "wrong signature" : "no key of the issuer for algorithm " + algorithm + ", key id " + keyId);
    }

    private static @Nullable JWSVerifier verifier(JWK key, JWSAlgorithm algorithm) throws JOSEException {
        return switch (key) {
            case RSAKey rsa when RSA.contains(algorithm) -> new RSASSAVerifier(rsa);
            case ECKey ec when algorithm.equals(algorithmOf(ec.getCurve())) -> new ECDSAVerifier(ec);
            default -> null; // another key type, or one that does not sign with this algorithm
        };
    }

    private static @Nullable JWSAlgorithm algorithmOf(Curve curve) {
        if (curve.equals(Curve.P_256)) {
            return JWSAlgorithm.ES256;
        }
        if (curve.equals(Curve.P_384)) {
            return JWSAlgorithm.ES384;
        }
        return curve.equals(Curve.P_521) ? JWSAlgorithm.ES512 : null;
    }

    private ServiceAccountToken checked(JWTClaimsSet claims) throws TokenRefusedException {
        if (!issuer.equals(claims.getIssuer())) {
            throw new TokenRefusedException("iss: " + claims.getIssuer() + " (expected: " + issuer + ")");
        }
        var audience = claims.getAudience();
        if (audience.stream().noneMatch(audiences::contains)) {
            throw new TokenRefusedException("aud: " + audience + " (expected: one of " + audiences + ")");
        }
        var now = clock.instant();
        if (claims.getExpirationTime() == null) {
            throw new TokenRefusedException("exp: missing");
        }
        var expiresAt = claims.getExpirationTime().toInstant();
        if (!now.isBefore(expiresAt.plus(LEEWAY))) {
            throw new TokenRefusedException("exp: " + expiresAt + " (now: " + now + ")");
        }
        requireReached(
                "nbf",
                claims.getNotBeforeTime() == null
                        ? null
                        : claims.getNotBeforeTime().toInstant(),
                now);
        requireReached(
                "iat",
                claims.getIssueTime() == null ? null : claims.getIssueTime().toInstant(),
                now);
        return account(claims, expiresAt);
    }

    private static void requireReached(String claim, @Nullable Instant time, Instant now) throws TokenRefusedException {
        if (time != null && now.plus(LEEWAY).isBefore(time)) {
            throw new TokenRefusedException(claim + ": " + time + " (now: " + now + ")");
        }
    }

    /// Kubernetes' private claim `kubernetes.io`: namespace, serviceaccount, pod and node. The subject repeats the
    /// first two, and the two must agree.
    private static ServiceAccountToken account(JWTClaimsSet claims, Instant expiresAt) throws TokenRefusedException {
        var subject = claims.getSubject();
        if (subject == null || !subject.startsWith(SUBJECT_PREFIX)) {
            throw new TokenRefusedException("sub: " + subject + " (expected: " + SUBJECT_PREFIX + "<ns>:<name>)");
        }
        var parts = subject.substring(SUBJECT_PREFIX.length()).split(":", -1);
        if (parts.length != 2 || parts[0].isEmpty() || parts[1].isEmpty()) {
            throw new TokenRefusedException("sub: " + subject + " (expected: " + SUBJECT_PREFIX + "<ns>:<name>)");
        }
        var kubernetes = object(claims.getClaim("kubernetes.io"));
        var namespace = text(kubernetes, "namespace");
        var account = text(object(kubernetes.get("serviceaccount")), "name");
        if ((namespace != null && !namespace.equals(parts[0])) || (account != null && !account.equals(parts[1]))) {
            throw new TokenRefusedException(
                    "sub: " + subject + " (expected: the account of kubernetes.io, " + namespace + "/" + account + ")");
        }
        var pod = object(kubernetes.get("pod"));
        return new ServiceAccountToken(
                claims.getIssuer(),
                subject,
                claims.getAudience(),
                parts[0],
                parts[1],
                text(pod, "name"),
                text(pod, "uid"),
                text(object(kubernetes.get("node")), "name"),
                expiresAt);
    }

    private static Map<?, ?> object(@Nullable Object claim) {
        return claim instanceof Map<?, ?> map ? map : Map.of();
    }

    private static @Nullable String text(Map<?, ?> object, String key) {
        return object.get(key) instanceof String text && !text.isEmpty() ? text : null;
    }

    /// The file's keys, and what tells that it has changed.
    private static final class KeyFile implements Supplier<JWKSet> {
        private final Path file;
        private volatile State state;

        KeyFile(Path file) throws IOException {
            this.file = file;
            this.state = read(file);
        }

        @Override
        public JWKSet get() {
            var current = state;
            try {
                if (current.isOf(file)) {
                    return current.keys();
                }
                current = read(file);
                state = current;
            } catch (IOException e) {
                LOG.warn("jwks={} is unreadable, the keys read before stay in force: {}", file, e.getMessage());
            }
            return current.keys();
        }

        private static State read(Path file) throws IOException {
            var modified = Files.getLastModifiedTime(file);
            var text = Files.readString(file);
            try {
                var keys = JWKSet.parse(text).toPublicJWKSet();
                return new State(keys, modified, text.length());
            } catch (ParseException e) {
                throw new IOException(file + ": no JWKS", e);
            }
        }

        private record State(JWKSet keys, FileTime modified, long size) {
            boolean isOf(Path file) throws IOException {
                return Files.getLastModifiedTime(file).equals(modified) && Files.size(file) == size;
            }
        }
    }
}
