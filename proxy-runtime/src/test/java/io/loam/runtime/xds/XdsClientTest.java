package io.loam.runtime.xds;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import io.grpc.Metadata;
import io.grpc.Status;
import io.loam.model.mesh.MeshView;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.proto.workload.Workload;
import io.loam.protocol.xds.ResourceNames;
import io.loam.runtime.admin.HttpReply;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.NodeConfig;
import io.loam.runtime.config.UpstreamConfig;
import io.loam.runtime.config.UpstreamConfig.BearerToken;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import io.loam.runtime.grpc.UpstreamChannels;
import io.loam.runtime.loops.EventLoops;
import io.loam.runtime.time.ManualTimer;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Wire reference, 4.1 and 4.2, over TLS against a server that says what the test wants; pauses are ended by hand.
class XdsClientTest {
    private static final NodeConfig NODE = new NodeConfig(
            "node-1",
            "east",
            "",
            "cluster.local",
            "cluster.local",
            "agent-x",
            "loam-system",
            "ztunnel",
            "10.0.0.9",
            Map.of(
                    "REGION",
                    JsonNodeFactory.instance.textNode("eu"),
                    "LABELS",
                    JsonNodeFactory.instance.objectNode().put("tier", 1).put("canary", true)));

    /// The middle: no jitter.
    private static final RandomGenerator NO_JITTER = new RandomGenerator() {
        @Override
        public long nextLong() {
            return 0;
        }

        @Override
        public double nextDouble() {
            return 0.5;
        }
    };

    @TempDir
    private Path folder = Path.of("");

    private final EventLoops loops = new EventLoops(1);
    private final ManualTimer timer = new ManualTimer();
    private final MeshView view = new MeshView();
    private final LinkedBlockingQueue<Long> published = new LinkedBlockingQueue<>();
    private final Readiness readiness = new Readiness();
    private final PrometheusRegistry metrics = new PrometheusRegistry();
    private MeshMemory memory = new MeshMemory(null, timer, Runnable::run);
    private ScriptedControlPlane server;
    private @Nullable XdsClient client;

    XdsClientTest() throws Exception {
        server = new ScriptedControlPlane(0, "control-plane");
        view.addListener(mesh -> published.add(mesh.version()));
    }

    @BeforeEach
    void writeFiles() throws IOException {
        Files.writeString(root(), server.rootPem());
        Files.writeString(token(), "first-token\n");
    }

    @AfterEach
    void close() throws IOException {
        if (client != null) {
            client.close();
        }
        server.close();
        loops.close();
    }

    @Test
    void subscribesToEverythingAndSaysWhoItIs() throws Exception {
        start();
        var stream = server.stream();
        var addresses = stream.request();
        var policies = stream.request();

        assertThat(addresses.getTypeUrl()).isEqualTo(ResourceNames.ADDRESS_TYPE);
        assertThat(policies.getTypeUrl()).isEqualTo(ResourceNames.AUTHORIZATION_TYPE);
        assertThat(addresses.getResourceNamesSubscribeList()).isEmpty();
        assertThat(addresses.getInitialResourceVersionsMap()).isEmpty();
        assertThat(addresses.getNode().getId())
                .isEqualTo("ztunnel~10.0.0.9~agent-x.loam-system~loam-system.svc.cluster.local");
        var metadata = addresses.getNode().getMetadata();
        assertThat(metadata.getFieldsMap().keySet())
                .containsExactlyInAnyOrder(
                        "NAME", "NAMESPACE", "INSTANCE_IPS", "NODE_NAME", "CLUSTER_ID", "REGION", "LABELS");
        assertThat(metadata.getFieldsOrThrow("NODE_NAME").getStringValue()).isEqualTo("node-1");
        assertThat(metadata.getFieldsOrThrow("CLUSTER_ID").getStringValue()).isEqualTo("east");
        assertThat(metadata.getFieldsOrThrow("REGION").getStringValue()).isEqualTo("eu");
        assertThat(metadata.getFieldsOrThrow("LABELS")
                        .getStructValue()
                        .getFieldsOrThrow("canary")
                        .getBoolValue())
                .isTrue();
        var headers = server.headers();
        assertThat(header(headers, "authorization")).isEqualTo("Bearer first-token");
        assertThat(header(headers, "clusterid")).isEqualTo("east");
        assertThat(header(headers, "x-team")).isEqualTo("mesh");
    }

    @Test
    void nothingIsPublishedBeforeBothTypesWereHeard() throws Exception {
        start();
        var stream = connected();

        stream.send(addresses("n1").addResources(pod("a", "v1")).addResources(pod("b", "v1")));
        assertThat(stream.request().getResponseNonce()).isEqualTo("n1");

        assertThat(published).isEmpty();
        assertThat(readiness.reply().body())
                .isEqualTo("not ready, pending: xds " + ResourceNames.AUTHORIZATION_TYPE + "\n");

        stream.send(policies("n2"));
        assertThat(stream.request().getResponseNonce()).isEqualTo("n2");
        assertThat(published).hasSize(1);
        assertThat(view.current().workloads()).hasSize(2);
        assertThat(readiness.isReady()).isTrue();
    }

    /// Whoever waits for a mesh to decide by waits for both types, and for no more where there is nothing to say.
    @Test
    void anEmptyMeshIsWholeWhenBothTypesWereHeard() throws Exception {
        start();
        var stream = connected();
        var whole = view.whole().toCompletableFuture();

        stream.send(policies("n1"));
        stream.request();
        assertThat(whole).isNotDone();

        stream.send(addresses("n2"));
        stream.request();
        assertThat(whole).isCompleted();
        assertThat(published).isEmpty();
    }

    @Test
    void aResponseBecomesOneSnapshotAndAnAck() throws Exception {
        start();
        var stream = inStep();

        stream.send(addresses("n1").addResources(pod("a", "v1")).addResources(pod("b", "v1")));
        var ack = stream.request();

        assertThat(ack.getResponseNonce()).isEqualTo("n1");
        assertThat(ack.hasErrorDetail()).isFalse();
        assertThat(published).containsExactly(1L);
        assertThat(view.current().workloads()).hasSize(2);
    }

    @Test
    void oneBadResourceIsNamedAndTheOthersCount() throws Exception {
        start();
        var stream = inStep();
        stream.send(addresses("n1").addResources(pod("a", "v1")));
        stream.request();

        stream.send(addresses("n2")
                .addResources(garbled("a", "v2"))
                .addResources(pod("b", "v1"))
                .addRemovedResources(uid("nobody")));
        var nack = stream.request();

        assertThat(nack.getResponseNonce()).isEqualTo("n2");
        assertThat(nack.getErrorDetail().getCode()).isEqualTo(3);
        assertThat(nack.getErrorDetail().getMessage()).contains(uid("a")).doesNotContain(uid("b"));
        assertThat(view.current().workload(uid("a")))
                .as("the last good one stays")
                .isNotNull();
        assertThat(view.current().workload(uid("b"))).isNotNull();
    }

    @Test
    void whatIsRemovedGoes() throws Exception {
        start();
        var stream = inStep();
        stream.send(addresses("n1").addResources(pod("a", "v1")).addResources(pod("b", "v1")));
        stream.request();

        stream.send(addresses("n2").addRemovedResources(uid("a")));
        stream.request();

        assertThat(view.current().workload(uid("a"))).isNull();
        assertThat(view.current().workload(uid("b"))).isNotNull();
    }

    @Test
    void aTypeThatNobodySubscribedToIsRefused() throws Exception {
        start();
        var stream = connected();

        stream.send(DeltaDiscoveryResponse.newBuilder().setTypeUrl("type/x").setNonce("n1"));

        assertThat(stream.request().getErrorDetail().getMessage()).contains("type/x");
    }

    @Test
    void aNewStreamBeginsWithTheVersionsHeldAndKeepsTheMeshMeanwhile() throws Exception {
        start();
        var stream = inStep();
        stream.send(addresses("n1").addResources(pod("a", "v1")).addResources(pod("b", "v7")));
        stream.request();
        stream.send(addresses("n2").addRemovedResources(uid("b")).addResources(pod("c", "v3")));
        stream.request();
        stream.send(addresses("n3").addResources(garbled("c", "v4")));
        stream.request();

        stream.end(Status.UNAVAILABLE.withDescription("going away"));
        assertThat(timer.awaitWaiting()).isEqualTo(Duration.ofMillis(10));
        assertThat(view.current().workloads()).hasSize(2);
        timer.advance(Duration.ofMillis(10));
        var again = server.stream();
        var first = again.request();

        assertThat(first.getInitialResourceVersionsMap())
                .containsOnly(Map.entry(uid("a"), "v1"), Map.entry(uid("c"), "v3"));
        assertThat(first.getNode().getId()).startsWith("ztunnel~");
        assertThat(again.request().getInitialResourceVersionsMap()).isEmpty();
    }

    /// Of whatever kind: without the thread the mesh would stay as it is for good.
    @Test
    void aBugWhileASnapshotIsPublishedEndsTheStreamAndNotTheThread() throws Exception {
        view.addListener(_ -> {
            throw new NoClassDefFoundError("io/loam/Gone");
        });
        start();
        var stream = inStep();
        stream.send(addresses("n1").addResources(pod("a", "v1")));

        timer.advance(timer.awaitWaiting());

        assertThat(connected()).isNotNull();
        assertThat(view.current().workload(uid("a"))).isNotNull();
    }

    /// Hazard P6: the mesh of a predecessor, until the control plane says what became of it.
    @Test
    void withoutAControlPlaneTheMeshFromDiskIsInForceUntilItIsBack() throws Exception {
        int port = server.port();
        server.close();
        var asOf = timer.now().minusSeconds(60);
        remember(2, asOf);
        start(port);
        var pause = awaitPause();

        assertThat(view.current().workloads()).hasSize(2);
        assertThat(view.whole()).isCompleted();
        assertThat(readiness.reply())
                .isEqualTo(HttpReply.text(
                        200,
                        "ready\nmesh from disk, as of " + asOf
                                + ", 60 s ago: the control plane was not reached since the start\n"));
        assertThat(metric("loam_mesh_from_disk")).isEqualTo(1);
        assertThat(metric("loam_mesh_age_seconds")).isEqualTo(60);

        server = new ScriptedControlPlane(port, "control-plane");
        Files.writeString(root(), server.rootPem());
        timer.advance(pause);
        var stream = server.stream();
        assertThat(stream.request().getInitialResourceVersionsMap())
                .as("sent again, or reported as gone")
                .containsOnly(
                        Map.entry("Kubernetes//Pod/shop/cart-0", ""),
                        Map.entry("Kubernetes//Pod/shop/cart-1", ""),
                        Map.entry("shop/cart.shop.svc.cluster.local", ""));
        assertThat(stream.request().getInitialResourceVersionsMap()).containsOnly(Map.entry("shop/closed", ""));
        stream.send(addresses("n1").addResources(pod("a", "v1")).addRemovedResources("Kubernetes//Pod/shop/cart-0"));
        stream.request();
        assertThat(view.current().workloads()).as("not without its policies").hasSize(2);
        stream.send(policies("n2").addRemovedResources("shop/closed"));
        stream.request();

        assertThat(view.current().workload(uid("a"))).isNotNull();
        assertThat(view.current().workload("Kubernetes//Pod/shop/cart-0")).isNull();
        assertThat(view.current().workload("Kubernetes//Pod/shop/cart-1")).isNotNull();
        assertThat(view.current().policies()).isEmpty();
        awaitReady("ready\n");
        assertThat(metric("loam_mesh_from_disk")).isZero();
        assertThat(metric("loam_mesh_age_seconds")).isZero();
        timer.advance(MeshMemory.INTERVAL);
        assertThat(file().read(timer.now()).orElseThrow().mesh().workloads()).hasSize(2);
    }

    /// As a control plane that was stopped, or that a firewall hides.
    @Test
    void aControlPlaneThatSaysNothingIsAsOneThatIsAway() throws Exception {
        remember(1, timer.now());
        start();
        var stream = connected();
        assertThat(view.current().workloads()).isEmpty();

        timer.advance(XdsClient.SILENCE);

        awaitReady("ready\nmesh from disk");
        assertThat(view.current().workloads()).hasSize(1);
        stream.send(policies("n1").addRemovedResources("shop/closed"));
        stream.request();
        stream.send(addresses("n2").addRemovedResources("Kubernetes//Pod/shop/cart-0"));
        stream.request();
        assertThat(view.current().workloads()).isEmpty();
    }

    /// Workloads of today with the policies of yesterday could let in whom both keep out.
    @Test
    void halfOfWhatTheControlPlaneSaidIsNotMixedWithTheMeshFromDisk() throws Exception {
        remember(1, timer.now());
        start();
        var stream = connected();
        stream.send(addresses("n1").addResources(pod("a", "v1")));
        stream.request();
        timer.advance(XdsClient.SILENCE);
        stream.end(Status.UNAVAILABLE);
        var pause = awaitPause();

        assertThat(view.current().workloads())
                .extracting(io.loam.model.workload.Workload::uid)
                .containsExactly("Kubernetes//Pod/shop/cart-0");
        timer.advance(pause);
        assertThat(server.stream().request().getInitialResourceVersionsMap()).doesNotContainKey(uid("a"));
    }

    @Test
    void aMeshThatTheControlPlaneHasReplacedIsNotReturnedTo() throws Exception {
        remember(1, timer.now());
        start();
        var stream = inStep();
        stream.send(addresses("n1")
                .addResources(pod("a", "v1"))
                .addRemovedResources("Kubernetes//Pod/shop/cart-0")
                .addRemovedResources("shop/cart.shop.svc.cluster.local"));
        stream.request();
        stream.end(Status.UNAVAILABLE);
        awaitPause();

        assertThat(view.current().workloads())
                .extracting(io.loam.model.workload.Workload::uid)
                .containsExactly(uid("a"));
        assertThat(readiness.reply()).isEqualTo(HttpReply.text(200, "ready\n"));
        timer.advance(Duration.ofSeconds(30));
        assertThat(metric("loam_mesh_age_seconds")).isEqualTo(30);
    }

    @Test
    void anUnusableMeshFromDiskLeavesTheAgentUnready() throws Exception {
        int port = server.port();
        server.close();
        remember(2, timer.now().minus(Duration.ofHours(25)));
        start(port);
        awaitPause();

        assertThat(view.current().workloads()).isEmpty();
        assertThat(readiness.isReady()).isFalse();
    }

    /// On the client's thread, which nobody here waits for.
    private void awaitReady(String startOfReply) throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (!readiness.reply().body().startsWith(startOfReply)
                || (startOfReply.endsWith("\n") && !readiness.reply().body().equals(startOfReply))) {
            assertThat(System.nanoTime()).as(readiness.reply().body()).isLessThan(deadline);
            Thread.sleep(5);
        }
    }

    @Test
    void pausesDoubleWhileNobodyAnswersAndStartAgainAfterAnAnswer() throws Exception {
        int port = server.port();
        start();
        connected();
        server.close();
        var pauses = new ArrayList<Long>();
        for (int i = 0; i < 13; i++) {
            var pause = timer.awaitWaiting();
            pauses.add(pause.toMillis());
            timer.advance(pause);
        }
        // The first stream was refused nothing and sent nothing: it counts as an attempt, too.
        assertThat(pauses)
                .containsExactly(10L, 20L, 40L, 80L, 160L, 320L, 640L, 1280L, 2560L, 5120L, 10240L, 15000L, 15000L);

        timer.awaitWaiting();
        server = new ScriptedControlPlane(port, "control-plane");
        Files.writeString(root(), server.rootPem());
        timer.advance(Duration.ofSeconds(15));
        var stream = connected();
        stream.send(addresses("n1"));
        stream.request();
        stream.end(Status.UNAVAILABLE);

        assertThat(timer.awaitWaiting()).isEqualTo(Duration.ofMillis(10));
    }

    /// Hazard I19: a control plane that proves nothing hears neither who we are nor our token.
    @Test
    void aFalseControlPlaneIsNotTalkedTo() throws Exception {
        Files.writeString(root(), otherRoot());
        start();
        timer.advance(timer.awaitWaiting());
        timer.advance(timer.awaitWaiting());
        timer.awaitWaiting();

        assertThat(server.wasAsked()).isFalse();
        assertThat(readiness.isReady()).isFalse();
        System.out.println("hazard I19: 3 connections to a control plane with a foreign certificate, 0 requests sent");
    }

    /// Hazard I19: the right root, the wrong name.
    @Test
    void aServerOfAnotherNameIsNotTalkedTo() throws Exception {
        try (var other = new ScriptedControlPlane(0, "dashboard")) {
            Files.writeString(root(), other.rootPem());
            start(other.port());
            timer.awaitWaiting();

            assertThat(other.wasAsked()).isFalse();
        }
    }

    @Test
    void aRotatedRootCountsWithTheNextConnection() throws Exception {
        Files.writeString(root(), otherRoot());
        start();
        timer.awaitWaiting();

        Files.writeString(root(), server.rootPem());
        timer.advance(timer.awaitWaiting());

        connected();
    }

    @Test
    void aRootThatCannotBeReadIsTriedAgain() throws Exception {
        Files.writeString(root(), "no certificate at all");
        start();
        timer.advance(timer.awaitWaiting());
        timer.awaitWaiting();
        Files.delete(root());
        timer.advance(timer.awaitWaiting());
        timer.awaitWaiting();

        Files.writeString(root(), server.rootPem());
        timer.advance(timer.awaitWaiting());

        connected();
    }

    @Test
    void aRenewedTokenCountsWithTheNextStream() throws Exception {
        start();
        var stream = connected();
        server.headers();
        Files.writeString(token(), "second-token");

        stream.end(Status.UNAUTHENTICATED);
        timer.advance(timer.awaitWaiting());

        assertThat(header(server.headers(), "authorization")).isEqualTo("Bearer second-token");
    }

    private MeshFile file() {
        return new MeshFile(folder, "cp", Duration.ofHours(24), Set.of("loam-system"));
    }

    /// A pause between streams, whatever else is waited for.
    private Duration awaitPause() throws InterruptedException {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(10);
        while (true) {
            var shortest = timer.waiting().stream().min(Duration::compareTo);
            if (shortest.isPresent() && shortest.get().compareTo(Duration.ofSeconds(1)) < 0) {
                return shortest.get();
            }
            assertThat(System.nanoTime()).as("no pause").isLessThan(deadline);
            Thread.sleep(5);
        }
    }

    /// A mesh that a predecessor left, and from then on what this client leaves.
    private void remember(int workloads, Instant asOf) throws IOException {
        file().write(MeshFileTest.mesh(workloads), asOf);
        memory = new MeshMemory(file(), timer, Runnable::run);
    }

    private double metric(String name) {
        return metrics.scrape(name::equals).stream()
                .flatMap(snapshot -> ((GaugeSnapshot) snapshot).getDataPoints().stream())
                .mapToDouble(GaugeSnapshot.GaugeDataPointSnapshot::getValue)
                .findFirst()
                .orElseThrow();
    }

    private void start() {
        start(server.port());
    }

    private void start(int port) {
        var upstream = new UpstreamConfig(
                URI.create("https://127.0.0.1:" + port),
                new RootCertificates.File(root()),
                "control-plane",
                new BearerToken.File(token()),
                "east",
                Map.of("X-Team", "mesh"));
        var started = new XdsClient(
                new UpstreamChannels(loops.control()),
                upstream,
                NODE,
                view,
                memory,
                null,
                readiness,
                metrics,
                timer,
                NO_JITTER);
        client = started;
        started.start();
    }

    /// The stream after its two first requests.
    private ScriptedControlPlane.Stream connected() throws InterruptedException {
        var stream = server.stream();
        stream.request();
        stream.request();
        return stream;
    }

    /// The stream once the policies, none, were heard.
    private ScriptedControlPlane.Stream inStep() throws InterruptedException {
        var stream = connected();
        stream.send(policies("n0"));
        stream.request();
        return stream;
    }

    private Path root() {
        return folder.resolve("root.pem");
    }

    private Path token() {
        return folder.resolve("token");
    }

    private static String otherRoot() throws Exception {
        try (var other = new ScriptedControlPlane(0, "control-plane")) {
            return other.rootPem();
        }
    }

    private static @Nullable String header(Metadata headers, String name) {
        return headers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
    }

    private static DeltaDiscoveryResponse.Builder addresses(String nonce) {
        return DeltaDiscoveryResponse.newBuilder()
                .setTypeUrl(ResourceNames.ADDRESS_TYPE)
                .setNonce(nonce);
    }

    private static DeltaDiscoveryResponse.Builder policies(String nonce) {
        return DeltaDiscoveryResponse.newBuilder()
                .setTypeUrl(ResourceNames.AUTHORIZATION_TYPE)
                .setNonce(nonce);
    }

    private static String uid(String name) {
        return "east//Pod/shop/" + name;
    }

    private static Resource pod(String name, String version) {
        var workload = Workload.newBuilder()
                .setUid(uid(name))
                .setName(name)
                .setNamespace("shop")
                .addAddresses(ByteString.copyFrom(new byte[] {10, 0, 0, (byte) name.charAt(0)}));
        return resource(
                name,
                version,
                Address.newBuilder().setWorkload(workload).build().toByteString());
    }

    /// Not a protobuf.
    private static Resource garbled(String name, String version) {
        return resource(name, version, ByteString.copyFrom(new byte[] {(byte) 0xff, 1, 2}));
    }

    private static Resource resource(String name, String version, ByteString bytes) {
        return Resource.newBuilder()
                .setName(uid(name))
                .setVersion(version)
                .setResource(
                        Any.newBuilder().setTypeUrl(ResourceNames.ADDRESS_TYPE).setValue(bytes))
                .build();
    }
}
