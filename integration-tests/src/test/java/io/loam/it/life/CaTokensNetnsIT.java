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
import io.loam.it.lab.HazardFigures;
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
import java.util.ArrayList;
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

    /// What was refused in this test.
    private final List<String> refused = new ArrayList<>();

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
        assertRefused("a pod of another node", one, id("there"));
        assertRefused("the same from there", two, id("here"));
        assertRefused("nobody's account", one, id("nobody"));
        assertRefused("another trust domain", one, new SpiffeId("other.domain", "shop", "here"));
        assertRefused("the account's name in another namespace", one, new SpiffeId(DOMAIN, "other", "here"));
        reached("I1", "of an agent");
    }

    @Test
    void aPodGetsItsOwnIdentityOnly() throws Exception {
        var here = bench.lab().pod("shop/here");
        var token = token(here, "istio-ca", here.uid());

        assertIssued(token, id("here"));
        assertRefused("another pod's", token, id("there"));
        assertRefused("the agent's", token, new SpiffeId(DOMAIN, "loam-system", "ztunnel"));
        assertRefused("its account's name in another namespace", token, new SpiffeId(DOMAIN, "other", "here"));
        assertRefused("another trust domain", token, new SpiffeId("other.domain", "shop", "here"));
        reached("I2", "of a workload");
    }

    @Test
    void tokensThatDoNotFitArePointless() throws Exception {
        var here = bench.lab().pod("shop/here");
        var there = bench.lab().pod("shop/there");

        assertRefused("another audience", token(here, "somebody-else", here.uid()), id("here"));
        assertRefused(
                "another uid of the pod", token(here, "istio-ca", "00000000-0000-0000-0000-000000000000"), id("here"));
        assertRefused("no token", "not.a.token", id("here"));
        var forger = TokenIssuer.openOrCreate(Files.createTempDirectory("forger"), InstantSource.system());
        assertRefused("signed by somebody else", forger.issue(request(here, "istio-ca", here.uid())), id("here"));
        assertRefused("another account than the pod's", token("there", here, here.name(), here.node()), id("there"));
        assertRefused("another pod's name", token("here", here, there.name(), here.node()), id("here"));
        assertRefused("another node than the pod's", token("here", here, here.name(), "two"), id("here"));
        assertRefused(
                "an agent's account with a workload's pod",
                issuer.issue(new TokenRequest(
                        "loam-system",
                        "ztunnel",
                        "account-ztunnel",
                        here.name(),
                        here.uid(),
                        here.node(),
                        "node-" + here.node(),
                        List.of("istio-ca"),
                        Duration.ofHours(1))),
                id("here"));
        reached("I1, I2", "with a token that does not fit");
    }

    @Test
    void theTokenOfAPodThatWasReplacedIsWorthNothing() throws Exception {
        var formerNode = Files.readString(state().resolve("nodes/one/token")).strip();
        bench.write("brief.yaml", caller("shop", "brief", "one"));
        var first = awaitReplaced("", "one");
        var token = token(first, "istio-ca", first.uid());
        assertIssued(token, id("brief"));

        bench.delete("brief.yaml");
        MeshBench.await(
                "the pod to be gone",
                () -> bench.lab().pods().stream().noneMatch(pod -> pod.name().equals("brief")));
        assertRefused("pod deleted, its token", token, id("brief"));
        assertRefused("pod deleted, its node's agent", formerNode, id("brief"));

        bench.write("brief.yaml", caller("shop", "brief", "one")); // again, under the same name
        var second = awaitReplaced(first.uid(), "one");
        assertRefused("pod made anew under its name, the first one's token", token, id("brief"));
        var secondToken = token(second, "istio-ca", second.uid());
        assertIssued(secondToken, id("brief"));

        bench.write("brief.yaml", caller("shop", "brief", "two")); // moved, under the same name
        awaitReplaced(second.uid(), "two");
        assertRefused("pod moved, the former one's token", secondToken, id("brief"));
        assertRefused("pod moved, its former node's agent", formerNode, id("brief"));
        reached("I1", "after a pod of the same name");
    }

    /// The pod that has the name now, ready, on that node, and not the one before.
    private static RunningPod awaitReplaced(String formerUid, String node) throws Exception {
        MeshBench.await(
                "shop/brief on " + node,
                () -> bench.lab().pods().stream()
                        .anyMatch(pod -> pod.name().equals("brief")
                                && pod.ready()
                                && pod.node().equals(node)
                                && !pod.uid().equals(formerUid)));
        return bench.lab().pod("shop/brief");
    }

    private void reached(String hazards, String whose) {
        HazardFigures.reached(
                hazards,
                "%d of %d wrong requests %s refused, 0 certificates: %s"
                        .formatted(refused.size(), refused.size(), whose, String.join("; ", refused)));
    }

    private static SpiffeId id(String account) {
        return new SpiffeId(DOMAIN, "shop", account);
    }

    private static String token(RunningPod pod, String audience, String uid) {
        return issuer.issue(request(pod, audience, uid));
    }

    /// Of the pod's uid, with the other facts as given.
    private static String token(String account, RunningPod pod, String name, String node) {
        return issuer.issue(new TokenRequest(
                pod.namespace(),
                account,
                "account-" + account,
                name,
                pod.uid(),
                node,
                "node-" + node,
                List.of("istio-ca"),
                Duration.ofHours(1)));
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

    private void assertRefused(String what, String token, SpiffeId identity) throws Exception {
        assertThat(ask(token, identity)).as("%s: %s", what, identity).isEqualTo(Status.Code.UNAUTHENTICATED);
        refused.add(what);
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
