package io.loam.ca;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.loam.ca.PodDirectory.Pod;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.proto.ca.IstioCertificateRequest;
import io.loam.protocol.proto.ca.IstioCertificateServiceGrpc;
import io.loam.protocol.rpc.RpcListenConfig;
import io.loam.protocol.tls.WorkloadCsr;
import io.loam.protocol.token.TokenVerifier;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The whole way: TLS, token, decision, answer.
class CaServerTest {
    private static final SpiffeId CART = new SpiffeId("cluster.local", "shop", "cart");

    @TempDir
    Path directory;

    private ECKey issuerKey;
    private CertificateAuthority authority;
    private CaServer server;
    private ManagedChannel channel;

    @BeforeEach
    void start() throws Exception {
        issuerKey = new ECKeyGenerator(Curve.P_256).keyID("k").generate();
        authority = CertificateAuthority.openOrCreate(directory, InstantSource.system());
        var pods = PodSnapshot.of(List.of(
                new Pod("loam-system", "agent-1", "a1", "node-agent", "node-1", false),
                new Pod("shop", "cart-1", "c1", "cart", "node-1", false)));
        var loopback = InetAddress.getLoopbackAddress();
        server = CaServer.start(
                RpcListenConfig.of(new InetSocketAddress(loopback, 0), 64 * 1024, Duration.ofHours(1)),
                List.of("ca.loam-system.svc"),
                List.of(loopback),
                authority,
                TokenVerifier.of(new JWKSet(issuerKey), "issuer", Set.of("istio-ca"), InstantSource.system()),
                new ImpersonationCheck("cluster.local", Set.of(new ServiceAccountName("loam-system", "node-agent"))),
                () -> pods,
                InstantSource.system());
        channel = NettyChannelBuilder.forAddress(server.address())
                .overrideAuthority("ca.loam-system.svc")
                .sslContext(GrpcSslContexts.forClient()
                        .trustManager(authority.roots().toArray(X509Certificate[]::new))
                        .build())
                .build();
    }

    @AfterEach
    void stop() throws Exception {
        channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        server.close();
    }

    @Test
    void givesANodeAgentTheCertificateOfAPodOnItsNode() throws Exception {
        var csr = WorkloadCsr.generate(CART);

        var chain = ask(agentToken(), csr.pem(), CART.toString());

        assertThat(csr.accept(chain).identity()).isEqualTo(CART);
        assertThat(server.issued()).isEqualTo(1);
    }

    @Test
    void givesAWorkloadItsOwnCertificate() throws Exception {
        var csr = WorkloadCsr.generate(CART);

        var chain = ask(token("shop", "cart", "cart-1", "c1", "istio-ca", 3600), csr.pem(), null);

        assertThat(csr.accept(chain).identity()).isEqualTo(CART);
    }

    @Test
    void tellsEveryRefusedCallerTheSame() throws Exception {
        var csr = WorkloadCsr.generate(CART).pem();
        var other = new ECKeyGenerator(Curve.P_256).keyID("k").generate();

        for (var failure : List.of(
                refusal("", csr, CART.toString()),
                refusal("nonsense", csr, CART.toString()),
                refusal(token("shop", "cart", "cart-1", "c1", "istio-ca", -120), csr, null), // expired
                refusal(token("shop", "cart", "cart-1", "c1", "another", 3600), csr, null), // audience
                refusal(sign(other, "shop", "cart", "cart-1", "c1", "istio-ca", 3600), csr, null), // forged
                refusal(token("shop", "cart", "cart-1", "c1", "istio-ca", 3600), csr, bank()), // I2
                refusal(token("shop", "cart", "cart-1", "c0", "istio-ca", 3600), csr, null), // pod replaced
                refusal(agentToken(), csr, bank()), // I1: not on that node
                refusal(agentToken(), csr, "spiffe://cluster.local/ns/shop"))) {
            assertThat(failure.getCode()).isEqualTo(Status.Code.UNAUTHENTICATED);
            assertThat(failure.getDescription()).isEqualTo("request authenticate failure");
        }
        assertThat(server.issued()).isZero();
        assertThat(server.refused()).isEqualTo(9);
    }

    @Test
    void tellsAProvenCallerWhatIsWrongWithItsRequest() throws Exception {
        var failure = refusal(agentToken(), Csrs.plain(Csrs.rsa(2048), "SHA256withRSA"), CART.toString());

        assertThat(failure.getCode()).isEqualTo(Status.Code.INVALID_ARGUMENT);
        assertThat(failure.getDescription()).contains("P-256 or stronger");
    }

    private Status refusal(String token, String csr, @Nullable String identity) {
        var thrown = catchThrowableOfType(StatusRuntimeException.class, () -> ask(token, csr, identity));
        assertThat(thrown).isNotNull();
        return thrown.getStatus();
    }

    private List<String> ask(String token, String csr, @Nullable String identity) {
        var headers = new Metadata();
        if (!token.isEmpty()) {
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
        }
        var request = IstioCertificateRequest.newBuilder().setCsr(csr).setValidityDuration(3600);
        if (identity != null) {
            request.setMetadata(Struct.newBuilder()
                    .putFields(
                            "ImpersonatedIdentity",
                            Value.newBuilder().setStringValue(identity).build()));
        }
        return IstioCertificateServiceGrpc.newBlockingStub(channel)
                .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
                .withDeadlineAfter(10, TimeUnit.SECONDS)
                .createCertificate(request.build())
                .getCertChainList();
    }

    private static String bank() {
        return "spiffe://cluster.local/ns/bank/sa/vault";
    }

    private String agentToken() throws Exception {
        return token("loam-system", "node-agent", "agent-1", "a1", "istio-ca", 3600);
    }

    private String token(String namespace, String account, String pod, String uid, String audience, long seconds)
            throws Exception {
        return sign(issuerKey, namespace, account, pod, uid, audience, seconds);
    }

    private static String sign(
            ECKey key, String namespace, String account, String pod, String uid, String audience, long seconds)
            throws Exception {
        var claims = new JWTClaimsSet.Builder()
                .issuer("issuer")
                .subject("system:serviceaccount:" + namespace + ":" + account)
                .audience(audience)
                .expirationTime(Date.from(Instant.now().plusSeconds(seconds)))
                .claim(
                        "kubernetes.io",
                        Map.of(
                                "namespace",
                                namespace,
                                "pod",
                                Map.of("name", pod, "uid", uid),
                                "serviceaccount",
                                Map.of("name", account)))
                .build();
        var jwt = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.ES256).keyID("k").build(), claims);
        jwt.sign(new ECDSASigner(key));
        return jwt.serialize();
    }
}
