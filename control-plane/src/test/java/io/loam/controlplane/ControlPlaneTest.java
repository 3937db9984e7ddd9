package io.loam.controlplane;

import static org.assertj.core.api.Assertions.assertThat;

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
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import io.loam.config.ConfigReader;
import io.loam.config.cluster.ClusterState;
import io.loam.config.compile.MeshSettings;
import io.loam.protocol.proto.discovery.AggregatedDiscoveryServiceGrpc;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Node;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.rpc.RpcListenConfig;
import io.loam.protocol.token.TokenVerifier;
import io.loam.protocol.xds.ResourceNames;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The whole way: TLS, token, compilation, delta.
class ControlPlaneTest {
    private static final String SERVICE = """
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop}
            spec:
              clusterIP: 10.96.0.7
              selector: {app: cart}
              ports: [{port: 80}]
            """;

    private ECKey issuerKey;
    private ControlPlane controlPlane;
    private ManagedChannel channel;

    @BeforeEach
    void start() throws Exception {
        issuerKey = new ECKeyGenerator(Curve.P_256).keyID("k").generate();
        var certificate = LoadedControlPlane.certificate();
        controlPlane = ControlPlane.start(
                ControlPlaneConfig.of(MeshSettings.DEFAULT, Set.of("loam-system/node-agent")),
                RpcListenConfig.of(
                        new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 1 << 20, Duration.ofHours(1)),
                () -> certificate,
                TokenVerifier.of(new JWKSet(issuerKey), "issuer", Set.of("istio-ca"), InstantSource.system()),
                InstantSource.system());
        channel = NettyChannelBuilder.forAddress(controlPlane.address())
                .overrideAuthority("control-plane")
                .sslContext(GrpcSslContexts.forClient()
                        .trustManager(certificate.chain().getFirst())
                        .build())
                .build();
    }

    @AfterEach
    void stop() throws Exception {
        channel.shutdownNow().awaitTermination(5, TimeUnit.SECONDS);
        controlPlane.close();
    }

    @Test
    void tellsAProxyOfTheMeshAndOfItsChanges() throws Exception {
        var proxy = new Proxy(token("node-agent"), "node-1");
        var generation = controlPlane.publish(state(SERVICE));

        var policies = proxy.response();
        assertThat(policies.getTypeUrl()).isEqualTo(ResourceNames.AUTHORIZATION_TYPE);
        proxy.confirm(policies);
        var first = proxy.response();
        assertThat(first.getResourcesList())
                .extracting(Resource::getName)
                .containsExactly("shop/cart.shop.svc.cluster.local");
        assertThat(first.getResources(0).getAliasesList()).containsExactly("/10.96.0.7");
        proxy.confirm(first);

        controlPlane.publish(state(""));
        var second = proxy.response();
        assertThat(second.getRemovedResourcesList()).containsExactly("shop/cart.shop.svc.cluster.local");
        assertThat(controlPlane.proxies())
                .allSatisfy(
                        status -> assertThat(status.hasGeneration(generation)).isTrue());
    }

    @Test
    void refusesAccountsThatAreNoProxies() throws Exception {
        controlPlane.publish(state(SERVICE));

        assertThat(new Proxy(token("cart"), "node-1").failure()).isEqualTo(Status.Code.UNAUTHENTICATED);
    }

    @Test
    void refusesAProxyThatClaimsAnotherNodeThanItsToken() throws Exception {
        controlPlane.publish(state(SERVICE));

        assertThat(new Proxy(token("node-agent"), "node-2").failure()).isEqualTo(Status.Code.UNAUTHENTICATED);
    }

    private static ClusterState state(String yaml) {
        return new ClusterState(
                new ConfigReader().readText(yaml, Path.of("test.yaml")).objects(), List.of());
    }

    private String token(String account) throws Exception {
        var claims = new JWTClaimsSet.Builder()
                .issuer("issuer")
                .subject("system:serviceaccount:loam-system:" + account)
                .audience("istio-ca")
                .expirationTime(Date.from(Instant.now().plusSeconds(3600)))
                .claim("kubernetes.io", Map.of("namespace", "loam-system", "node", Map.of("name", "node-1")))
                .build();
        var jwt = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.ES256).keyID("k").build(), claims);
        jwt.sign(new ECDSASigner(issuerKey));
        return jwt.serialize();
    }

    /// Subscribes to both types when it is made.
    private final class Proxy implements StreamObserver<DeltaDiscoveryResponse> {
        private final BlockingQueue<Object> received = new LinkedBlockingQueue<>();
        private final StreamObserver<DeltaDiscoveryRequest> requests;

        Proxy(String token, String node) {
            var headers = new Metadata();
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
            requests = AggregatedDiscoveryServiceGrpc.newStub(channel)
                    .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))
                    .deltaAggregatedResources(this);
            var metadata = Struct.newBuilder()
                    .putFields(
                            "NODE_NAME", Value.newBuilder().setStringValue(node).build());
            for (var type : List.of(ResourceNames.AUTHORIZATION_TYPE, ResourceNames.ADDRESS_TYPE)) {
                requests.onNext(DeltaDiscoveryRequest.newBuilder()
                        .setNode(Node.newBuilder().setId("ztunnel~test").setMetadata(metadata))
                        .setTypeUrl(type)
                        .build());
            }
        }

        DeltaDiscoveryResponse response() throws InterruptedException {
            return (DeltaDiscoveryResponse) next();
        }

        Status.Code failure() throws InterruptedException {
            return Status.fromThrowable((Throwable) next()).getCode();
        }

        void confirm(DeltaDiscoveryResponse response) {
            requests.onNext(DeltaDiscoveryRequest.newBuilder()
                    .setTypeUrl(response.getTypeUrl())
                    .setResponseNonce(response.getNonce())
                    .build());
        }

        private Object next() throws InterruptedException {
            return Objects.requireNonNull(received.poll(10, TimeUnit.SECONDS), "nothing within 10 s");
        }

        @Override
        public void onNext(DeltaDiscoveryResponse response) {
            received.add(response);
        }

        @Override
        public void onError(Throwable error) {
            received.add(error);
        }

        @Override
        public void onCompleted() {
            received.add(Status.CANCELLED.asRuntimeException());
        }
    }
}
