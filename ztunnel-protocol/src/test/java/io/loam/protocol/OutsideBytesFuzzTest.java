package io.loam.protocol;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.InvalidProtocolBufferException;
import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.Payload;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.header.Baggage;
import io.loam.protocol.header.Forwarded;
import io.loam.protocol.header.TraceParent;
import io.loam.protocol.proto.security.Authorization;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.tls.PeerChain;
import io.loam.protocol.tls.PeerIdentities;
import io.loam.protocol.tls.Pem;
import io.loam.protocol.tls.RevocationLists;
import io.loam.protocol.token.TokenRefusedException;
import io.loam.protocol.token.TokenVerifier;
import io.loam.protocol.xds.AuthorizationMapping;
import io.loam.protocol.xds.InvalidResourceException;
import io.loam.protocol.xds.ServiceMapping;
import io.loam.protocol.xds.WorkloadMapping;
import io.loam.protocol.zds.ZdsCodec;
import io.loam.protocol.zds.ZdsProtocolException;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;

/// Every parser of this module that reads what comes from outside, less the tunnels': any bytes give a value or the
/// parser's own exception, and a value that is written and read again is the same. Each build runs what lies in the
/// resources beside this class; CONTRIBUTING says how to look for more.
class OutsideBytesFuzzTest {
    private static final String ISSUER = "https://kubernetes.default.svc";
    private static final ECKey KEY = key();
    private static final InstantSource CLOCK = InstantSource.fixed(Instant.parse("2026-03-01T12:00:00Z"));
    private static final TokenVerifier TOKENS = TokenVerifier.of(new JWKSet(KEY), ISSUER, Set.of("istio-ca"), CLOCK);

    private static ECKey key() {
        try {
            return new ECKeyGenerator(Curve.P_256).keyID("k").generate();
        } catch (JOSEException e) {
            throw new IllegalStateException(e);
        }
    }

    private static String text(byte[] input) {
        return new String(input, StandardCharsets.UTF_8);
    }

    @FuzzTest(maxDuration = "10m")
    void forwarded(byte[] input) {
        Forwarded.parse(text(input))
                .ifPresent(read -> assertThat(Forwarded.parse(read.header())).contains(read));
    }

    @FuzzTest(maxDuration = "10m")
    void baggage(byte[] input) {
        var passedOn = Baggage.parse(List.of(text(input))).header(); // less what is not plain
        assertThat(Baggage.parse(List.of(passedOn)).header()).isEqualTo(passedOn);
    }

    @FuzzTest(maxDuration = "10m")
    void traceParent(byte[] input) {
        TraceParent.parse(text(input))
                .ifPresent(read -> assertThat(TraceParent.parse(read.header())).contains(read));
    }

    @FuzzTest(maxDuration = "10m")
    void spiffeId(byte[] input) {
        var uri = text(input);
        SpiffeId.parse(uri).ifPresent(id -> assertThat(id).hasToString(uri));
        SpiffeId.parsePrincipal(uri).ifPresent(id -> assertThat(id).hasToString("spiffe://" + uri));
    }

    @FuzzTest(maxDuration = "10m")
    void certificate(byte[] input) {
        X509Certificate certificate;
        try {
            certificate = (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(input));
        } catch (CertificateException _) {
            return;
        }
        PeerIdentities.of(certificate).ifPresent(id -> assertThat(text(input)).contains(id.toString()));
    }

    /// The extension alone: whoever makes a certificate by hand can put any bytes there (hazard I4).
    @FuzzTest(maxDuration = "10m")
    void subjectAlternativeName(byte[] input) throws IOException {
        var certificate = NamedCertificates.with(input);
        try {
            var read = (X509Certificate)
                    CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(certificate));
            var id = PeerIdentities.require(read);
            assertThat(new String(input, StandardCharsets.ISO_8859_1)).contains(id.toString());
        } catch (CertificateException refused) { // ours, or Java's for what it cannot read
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    @FuzzTest(maxDuration = "10m")
    void revocationLists(byte[] input) {
        try {
            var lists = RevocationLists.read(input);
            assertThat(lists.size()).isGreaterThanOrEqualTo(0);
            assertThat(lists.revoked(new PeerChain(List.of()))).isEmpty();
            if (!text(input).isBlank()) {
                assertThat(lists.lists()).isPositive();
            }
        } catch (GeneralSecurityException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    @FuzzTest(maxDuration = "10m")
    void pem(byte[] input) {
        try {
            var certificates = Pem.certificates(text(input));
            assertThat(Pem.certificates(Pem.encode(certificates))).isEqualTo(certificates);
        } catch (GeneralSecurityException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    @FuzzTest(maxDuration = "10m")
    void certificateRequest(byte[] input) {
        try {
            var request = Pem.request(text(input));
            assertThat(Pem.request(Pem.encode(request))).isEqualTo(request);
        } catch (GeneralSecurityException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    @FuzzTest(maxDuration = "10m")
    void zds(byte[] input) {
        try {
            var request = ZdsCodec.decodeRequest(input);
            if (input.length <= ZdsCodec.MAX_MESSAGE_BYTES / 2) { // text that is no UTF-8 grows when it is written
                assertThat(ZdsCodec.decodeRequest(ZdsCodec.encode(request))).isEqualTo(request);
            }
        } catch (ZdsProtocolException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
        try {
            ZdsCodec.decodeAck(input);
            ZdsCodec.requireHello(input);
        } catch (ZdsProtocolException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    @FuzzTest(maxDuration = "10m")
    void address(byte[] input) {
        try {
            var address = Address.parseFrom(input);
            if (address.hasWorkload()) {
                var workload = WorkloadMapping.toModel(address.getWorkload());
                assertThat(WorkloadMapping.toModel(WorkloadMapping.toProto(workload)))
                        .isEqualTo(workload);
            }
            if (address.hasService()) {
                var service = ServiceMapping.toModel(address.getService());
                assertThat(ServiceMapping.toModel(ServiceMapping.toProto(service)))
                        .isEqualTo(service);
            }
        } catch (InvalidProtocolBufferException | InvalidResourceException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    @FuzzTest(maxDuration = "10m")
    void authorization(byte[] input) {
        try {
            var policy = AuthorizationMapping.toModel(Authorization.parseFrom(input));
            assertThat(AuthorizationMapping.toModel(AuthorizationMapping.toProto(policy)))
                    .isEqualTo(policy);
        } catch (InvalidProtocolBufferException | InvalidResourceException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    /// Nobody but the test has the key: whatever comes is refused.
    @FuzzTest(maxDuration = "10m")
    void token(byte[] input) {
        try {
            TOKENS.verify(text(input));
            throw new AssertionError("took " + text(input));
        } catch (TokenRefusedException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    /// What an issuer of ours might sign.
    @FuzzTest(maxDuration = "10m")
    void claims(byte[] input) throws JOSEException {
        var signed = new JWSObject(new JWSHeader(JWSAlgorithm.ES256), new Payload(input));
        signed.sign(new ECDSASigner(KEY));
        try {
            var token = TOKENS.verify(signed.serialize());
            assertThat(token.issuer()).isEqualTo(ISSUER);
            assertThat(token.namespace()).isNotEmpty();
            assertThat(token.serviceAccount()).isNotEmpty();
        } catch (TokenRefusedException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        }
    }

    @FuzzTest(maxDuration = "10m")
    void keys(byte[] input) throws IOException {
        var file = Files.createTempFile("jwks", ".json");
        try {
            Files.write(file, input);
            TokenVerifier.ofFile(file, ISSUER, Set.of("istio-ca"), CLOCK);
        } catch (IOException refused) {
            assertThat(refused.getMessage()).isNotEmpty();
        } finally {
            Files.delete(file);
        }
    }
}
