package io.loam.it.life;

import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.loam.config.cluster.RunningPod;
import io.loam.it.bench.MeshBench;
import io.loam.lab.network.LabAddresses;
import io.loam.lab.token.TokenIssuer;
import io.loam.lab.token.TokenRequest;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.proto.ca.IstioCertificateRequest;
import io.loam.protocol.proto.ca.IstioCertificateServiceGrpc;
import io.loam.protocol.tls.WorkloadCsr;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/// Hazards I1 and I2 against the CA of a running lab, over its network, with tokens of the lab's issuer: those of pods
/// and those of node agents.
final class CaTokensNetnsIT {
    private static final int CA_PORT = 15013;
    private static final String DOMAIN = "cluster.local";
    private static MeshBench bench;
    private static TokenIssuer issuer;
    private static MultiThreadIoEventLoopGroup loop;
    private static int refused;

    @BeforeAll
    static void start() throws Exception {
        bench = MeshBench.start(
                "ittoken",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + caller("shop", "here", "one")
                                + caller("shop", "there", "two")));
        issuer = TokenIssuer.openOrCreate(state().resolve("tokens"), InstantSource.system());
        loop = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    }

    @AfterAll
    static void stop() throws IOException {
        System.out.printf("hazards I1, I2: %d wrong requests, 0 certificates%n", refused);
        if (loop != null) {
            var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
        if (bench != null) {
            bench.close();
        }
    }

    private static Path state() {
        return bench.lab().name().stateDir();
    }

    @Test
    void anAgentGetsTheIdentitiesOfItsOwnNodeOnly() throws Exception {
        var one = Files.readString(state().resolve("nodes/one/token")).strip();
        var two = Files.readString(state().resolve("nodes/two/token")).strip();

        assertIssued(one, id("here"));
        assertIssued(two, id("there"));
        assertRefused(one, id("there"));
        assertRefused(two, id("here"));
        assertRefused(one, id("nobody"));
        assertRefused(one, new SpiffeId("other.domain", "shop", "here"));
        assertRefused(one, new SpiffeId(DOMAIN, "other", "here"));
    }

    @Test
    void aPodGetsItsOwnIdentityOnly() throws Exception {
        var token = token(
                bench.lab().pod("shop/here"),
                "istio-ca",
                bench.lab().pod("shop/here").uid());

        assertIssued(token, id("here"));
        assertRefused(token, id("there"));
        assertRefused(token, new SpiffeId(DOMAIN, "loam-system", "ztunnel"));
    }

    @Test
    void tokensThatDoNotFitArePointless() throws Exception {
        var here = bench.lab().pod("shop/here");

        assertRefused(token(here, "somebody-else", here.uid()), id("here"));
        assertRefused(token(here, "istio-ca", "00000000-0000-0000-0000-000000000000"), id("here"));
        assertRefused("not.a.token", id("here"));
        var forger = TokenIssuer.openOrCreate(Files.createTempDirectory("forger"), InstantSource.system());
        assertRefused(forger.issue(request(here, "istio-ca", here.uid())), id("here"));
    }

    @Test
    void theTokenOfAPodThatWasReplacedIsWorthNothing() throws Exception {
        bench.write("brief.yaml", caller("shop", "brief", "one"));
        bench.awaitReady();
        MeshBench.await(
                "the pod",
                () -> bench.lab().pods().stream().anyMatch(pod -> pod.name().equals("brief") && pod.ready()));
        var first = bench.lab().pod("shop/brief");
        var token = token(first, "istio-ca", first.uid());
        assertIssued(token, id("brief"));

        bench.write("brief.yaml", caller("shop", "brief", "two")); // moved, under the same name
        MeshBench.await(
                "its successor",
                () -> bench.lab().pods().stream()
                        .anyMatch(pod -> pod.name().equals("brief")
                                && pod.ready()
                                && pod.node().equals("two")));

        assertRefused(token, id("brief"));
        var formerNode = Files.readString(state().resolve("nodes/one/token")).strip();
        assertRefused(formerNode, id("brief"));
    }

    private static SpiffeId id(String account) {
        return new SpiffeId(DOMAIN, "shop", account);
    }

    private static String token(RunningPod pod, String audience, String uid) {
        return issuer.issue(request(pod, audience, uid));
    }

    private static TokenRequest request(RunningPod pod, String audience, String uid) {
        var account = pod.pod().spec().serviceAccountName();
        return new TokenRequest(
                pod.namespace(),
                account,
                "account-" + account,
                pod.name(),
                uid,
                pod.node(),
                "node-" + pod.node(),
                List.of(audience),
                Duration.ofHours(1));
    }

    private static void assertIssued(String token, SpiffeId identity) throws Exception {
        assertThat(ask(token, identity)).isEqualTo(Status.Code.OK);
    }

    private static void assertRefused(String token, SpiffeId identity) throws Exception {
        assertThat(ask(token, identity)).as("%s", identity).isEqualTo(Status.Code.UNAUTHENTICATED);
        refused++;
    }

    /// As an agent asks; the answer's certificate must be for the identity that was asked for.
    private static Status.Code ask(String token, SpiffeId identity) throws IOException, GeneralSecurityException {
        var csr = WorkloadCsr.generate(identity);
        var request = IstioCertificateRequest.newBuilder()
                .setCsr(csr.pem())
                .setValidityDuration(3600)
                .setMetadata(Struct.newBuilder()
                        .putFields(
                                "ImpersonatedIdentity",
                                Value.newBuilder()
                                        .setStringValue(identity.toString())
                                        .build()))
                .build();
        try (var fabric = Netns.open(bench.lab().nodeNetns("one"))) {
            var channel = channel(fabric, token);
            try {
                var answer = IstioCertificateServiceGrpc.newBlockingStub(channel)
                        .withDeadlineAfter(10, TimeUnit.SECONDS)
                        .createCertificate(request);
                assertThat(csr.accept(answer.getCertChainList()).identity()).isEqualTo(identity);
                return Status.Code.OK;
            } catch (StatusRuntimeException e) {
                return e.getStatus().getCode();
            } finally {
                channel.shutdownNow();
            }
        }
    }

    private static ManagedChannel channel(Netns node, String token) throws IOException {
        var roots = state().resolve("root-cert.pem").toFile();
        return NettyChannelBuilder.forAddress(new InetSocketAddress(LabAddresses.FABRIC_IPV4, CA_PORT))
                .eventLoopGroup(loop)
                .channelFactory(() -> {
                    try {
                        return node.call(EpollSocketChannel::new);
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                })
                .sslContext(GrpcSslContexts.forClient().trustManager(roots).build())
                .overrideAuthority(LabAddresses.FABRIC_IPV4.getHostAddress())
                .intercept(new Bearer(token))
                .build();
    }

    private record Bearer(String token) implements ClientInterceptor {
        @Override
        public <A, B> ClientCall<A, B> interceptCall(MethodDescriptor<A, B> method, CallOptions options, Channel next) {
            return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
                @Override
                public void start(Listener<B> listener, Metadata headers) {
                    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
                    super.start(listener, headers);
                }
            };
        }
    }
}
