package io.loam.lab.token;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.KeyUse;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;
import java.text.ParseException;
import java.time.InstantSource;
import java.util.Date;
import java.util.Map;
import java.util.Set;
import java.util.UUID;

/// Signs service-account tokens with the claims of Kubernetes' projected tokens, with a P-256 key that stays in
/// the lab's state directory. Safe for all threads; signing takes well below a millisecond.
public final class TokenIssuer {
    /// What a cluster made by kubeadm calls itself.
    public static final String ISSUER = "https://kubernetes.default.svc.cluster.local";

    private static final String KEY_FILE = "token-key.json";

    private final ECKey key;
    private final ECDSASigner signer;
    private final InstantSource clock;

    private TokenIssuer(ECKey key, InstantSource clock) throws JOSEException {
        this.key = key;
        this.signer = new ECDSASigner(key);
        this.clock = clock;
    }

    /// Uses the key in the directory, or makes one there, readable for the owner only. Blocks.
    ///
    /// @throws IOException if the directory cannot be used, or its key file holds no P-256 key
    public static TokenIssuer openOrCreate(Path stateDirectory, InstantSource clock) throws IOException {
        var file = stateDirectory.resolve(KEY_FILE);
        try {
            if (!Files.exists(file)) {
                Files.createDirectories(stateDirectory);
                var fresh = new ECKeyGenerator(Curve.P_256)
                        .keyUse(KeyUse.SIGNATURE)
                        .algorithm(JWSAlgorithm.ES256)
                        .keyIDFromThumbprint(true)
                        .generate();
                write(file, fresh.toJSONString());
            }
            return new TokenIssuer(ECKey.parse(Files.readString(file)), clock);
        } catch (ParseException | JOSEException e) {
            throw new IOException(file + ": holds no P-256 key (expected: a JWK; remove it to get a new one)", e);
        }
    }

    /// The `iss` of all tokens.
    public String issuer() {
        return ISSUER;
    }

    /// The public key, for those who verify.
    public JWKSet jwks() {
        return new JWKSet(key.toPublicJWK());
    }

    /// @return the compact form, valid from now on
    public String issue(TokenRequest request) {
        var now = clock.instant();
        var kubernetes = Map.of(
                "namespace",
                request.namespace(),
                "node",
                reference(request.nodeName(), request.nodeUid()),
                "pod",
                reference(request.podName(), request.podUid()),
                "serviceaccount",
                reference(request.serviceAccount(), request.serviceAccountUid()));
        var claims = new JWTClaimsSet.Builder()
                .issuer(ISSUER)
                .subject("system:serviceaccount:" + request.namespace() + ":" + request.serviceAccount())
                .audience(request.audiences())
                .issueTime(Date.from(now))
                .notBeforeTime(Date.from(now))
                .expirationTime(Date.from(now.plus(request.validity())))
                .jwtID(UUID.randomUUID().toString())
                .claim("kubernetes.io", kubernetes)
                .build();
        var token = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.ES256).keyID(key.getKeyID()).build(), claims);
        try {
            token.sign(signer);
        } catch (JOSEException e) {
            throw new IllegalStateException("this Java runtime cannot sign with P-256", e);
        }
        return token.serialize();
    }

    private static Map<String, String> reference(String name, String uid) {
        return Map.of("name", name, "uid", uid);
    }

    private static void write(Path file, String text) throws IOException {
        var fresh = file.resolveSibling("." + file.getFileName() + ".new");
        Files.deleteIfExists(fresh);
        try (var out = FileChannel.open(
                fresh,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))) {
            var bytes = ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
            while (bytes.hasRemaining()) {
                out.write(bytes);
            }
            out.force(true);
        }
        Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
    }

    /// Hides the key.
    @Override
    public String toString() {
        return "TokenIssuer[" + ISSUER + ", key " + key.getKeyID() + "]";
    }
}
