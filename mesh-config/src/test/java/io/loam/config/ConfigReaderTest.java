package io.loam.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.object.ContainerSpec.ContainerPort;
import io.loam.config.object.ContainerSpec.EnvVar;
import io.loam.config.object.DeploymentObject;
import io.loam.config.object.DeploymentObject.Strategy;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NodeObject;
import io.loam.config.object.PodObject;
import io.loam.config.object.PodSpec.RestartPolicy;
import io.loam.config.object.PortRef;
import io.loam.config.object.Probe;
import io.loam.config.object.ServiceObject;
import io.loam.config.object.TransportProtocol;
import io.loam.config.problem.Problem;
import io.loam.model.workload.Locality;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConfigReaderTest {
    private static final String SHOP = """
            # A comment before everything.
            apiVersion: v1
            kind: Node
            metadata:
              name: node-1
              labels:
                topology.kubernetes.io/region: eu
                topology.kubernetes.io/zone: eu-1
                topology.istio.io/subzone: rack-7
            ---
            apiVersion: v1
            kind: Namespace
            metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient}}
            ---
            apiVersion: v1
            kind: Pod
            metadata:
              name: cart
              namespace: shop
              labels: {app: cart, numbered: 7, truth: true}
              annotations: {loam.io/pod-ip: "10.244.1.9, fd00:244:1::9"}
            spec:
              serviceAccountName: cart
              nodeName: node-1
              terminationGracePeriodSeconds: 3
              restartPolicy: OnFailure
              initContainers:
              - {name: prepare, command: [/bin/true]}
              containers:
              - name: web
                image: ignored:1
                command: ["python3", "-m", "http.server"]
                args: ["$(PORT)"]
                workingDir: /srv
                env:
                - {name: PORT, value: "8080"}
                - name: WHERE
                  valueFrom: {fieldRef: {fieldPath: spec.nodeName}}
                ports:
                - {name: http, containerPort: 8080}
                - {containerPort: 53, protocol: UDP}
                readinessProbe:
                  httpGet: {path: /ready, port: http}
                  periodSeconds: 2
                livenessProbe:
                  exec: {command: [test, -e, /tmp/alive]}
                  initialDelaySeconds: 5
                startupProbe:
                  tcpSocket: {port: 8080}
                  failureThreshold: 30
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: front, namespace: shop}
            spec:
              replicas: 3
              selector: {matchLabels: {app: front}}
              template:
                metadata: {labels: {app: front, tier: web}}
                spec:
                  containers:
                  - {name: web, command: [nginx, -g, daemon off;]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart, namespace: shop}
            spec:
              clusterIP: 10.96.0.77
              ipFamilies: [IPv4, IPv6]
              ipFamilyPolicy: PreferDualStack
              selector: {app: cart}
              trafficDistribution: PreferClose
              ports:
              - {name: http, port: 80, targetPort: http, appProtocol: http}
              - {name: dns, port: 53, protocol: UDP}
            """;

    private final ConfigReader reader = new ConfigReader();

    @Test
    void readsTheKindsOfAShopWithoutAnyProblem() {
        var result = reader.readText(SHOP, Path.of("shop.yaml"));

        assertThat(result.problems()).isEmpty();
        assertThat(result.rejected()).isEmpty();
        assertThat(result.objects())
                .extracting(object -> object.key().toString())
                .containsExactly(
                        "Node node-1", "Namespace shop", "Pod shop/cart", "Deployment shop/front", "Service shop/cart");
    }

    @Test
    void readsANodesTopology() {
        assertThat(only(NodeObject.class).locality()).isEqualTo(new Locality("eu", "eu-1", "rack-7"));
    }

    @Test
    void readsWhatAKubeletNeedsOfAPod() throws IOException {
        var pod = only(PodObject.class);

        assertThat(pod.meta().labels()).isEqualTo(Map.of("app", "cart", "numbered", "7", "truth", "true"));
        assertThat(pod.requestedIps())
                .containsExactly(InetAddress.ofLiteral("10.244.1.9"), InetAddress.ofLiteral("fd00:244:1::9"));
        assertThat(pod.spec().serviceAccountName()).isEqualTo("cart");
        assertThat(pod.spec().nodeName()).isEqualTo("node-1");
        assertThat(pod.spec().terminationGracePeriod()).isEqualTo(Duration.ofSeconds(3));
        assertThat(pod.spec().restartPolicy()).isEqualTo(RestartPolicy.ON_FAILURE);
        assertThat(pod.spec().initContainers())
                .singleElement()
                .satisfies(init -> assertThat(init.command()).containsExactly("/bin/true"));
        var web = pod.spec().containers().getFirst();
        assertThat(web.command()).containsExactly("python3", "-m", "http.server");
        assertThat(web.args()).containsExactly("$(PORT)");
        assertThat(web.workingDir()).isEqualTo("/srv");
        assertThat(web.env())
                .containsExactly(
                        new EnvVar("PORT", new EnvVar.Literal("8080")),
                        new EnvVar("WHERE", new EnvVar.FieldRef("spec.nodeName")));
        assertThat(web.ports())
                .containsExactly(
                        new ContainerPort("http", 8080, TransportProtocol.TCP),
                        new ContainerPort("", 53, TransportProtocol.UDP));
        assertThat(web.readiness())
                .isEqualTo(new Probe(
                        new Probe.HttpGet(
                                new PortRef.Named("http"), "/ready", "", Probe.HttpGet.Scheme.HTTP, List.of()),
                        Duration.ZERO,
                        Duration.ofSeconds(2),
                        Duration.ofSeconds(1),
                        1,
                        3));
        assertThat(web.liveness())
                .isEqualTo(new Probe(
                        new Probe.Exec(List.of("test", "-e", "/tmp/alive")),
                        Duration.ofSeconds(5),
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(1),
                        1,
                        3));
        assertThat(web.startup())
                .isEqualTo(new Probe(
                        new Probe.TcpSocket(new PortRef.Numbered(8080), ""),
                        Duration.ZERO,
                        Duration.ofSeconds(10),
                        Duration.ofSeconds(1),
                        1,
                        30));
    }

    @Test
    void makesPodsFromADeployment() {
        var deployment = only(DeploymentObject.class);

        assertThat(deployment.replicas()).isEqualTo(3);
        assertThat(deployment.strategy()).isEqualTo(new Strategy.RollingUpdate(1, 0));
        assertThat(deployment.pod("front-1").key()).hasToString("Pod shop/front-1");
        assertThat(deployment.pod("front-1").meta().labels()).isEqualTo(Map.of("app", "front", "tier", "web"));
    }

    @Test
    void readsAService() throws IOException {
        var service = only(ServiceObject.class);

        assertThat(service.clusterIps()).containsExactly(InetAddress.ofLiteral("10.96.0.77"));
        assertThat(service.headless()).isFalse();
        assertThat(service.ipFamilies()).containsExactly(ServiceObject.IpFamily.IPV4, ServiceObject.IpFamily.IPV6);
        assertThat(service.trafficDistribution()).isEqualTo(ServiceObject.TrafficDistribution.PREFER_SAME_ZONE);
        assertThat(service.ports())
                .containsExactly(
                        new ServiceObject.Port("http", 80, new PortRef.Named("http"), TransportProtocol.TCP, "http"),
                        new ServiceObject.Port("dns", 53, new PortRef.Numbered(53), TransportProtocol.UDP, ""));
    }

    @Test
    void readsHeadlessServicesAndThoseThatAskForNoAddress() {
        var result = reader.readText("""
                {apiVersion: v1, kind: Service, metadata: {name: a}, spec: {clusterIP: None, selector: {app: a}}}
                ---
                {apiVersion: v1, kind: Service, metadata: {name: b}, spec: {selector: {app: a}, ports: [{port: 80}]}}
                """, Path.of("services.yaml"));

        assertThat(result.problems()).isEmpty();
        var services = result.objects().stream().map(ServiceObject.class::cast).toList();
        assertThat(services.get(0).headless()).isTrue();
        assertThat(services.get(1).headless()).isFalse();
        assertThat(services.get(1).clusterIps()).isEmpty();
        assertThat(services.get(1).ports().getFirst().targetPort()).isEqualTo(new PortRef.Numbered(80));
    }

    @Test
    void readsTheItemsOfAListEachByItself() {
        var result = reader.readText("""
                apiVersion: v1
                kind: List
                items:
                - {apiVersion: v1, kind: Namespace, metadata: {name: a}}
                - {apiVersion: v1, kind: Namespace, metadata: {name: B}}
                - {apiVersion: v1, kind: Namespace, metadata: {name: c}}
                """, Path.of("list.yaml"));

        assertThat(result.objects()).extracting(object -> object.meta().name()).containsExactly("a", "c");
        assertThat(result.problems())
                .extracting(Problem::toString)
                .containsExactly(
                        "list.yaml:5: Namespace B: metadata.name: B (expected: a name of at most 253 of a-z"
                                + " 0-9 - and ., with a letter or digit at both ends)",
                        "list.yaml:5: Namespace B: metadata: B (expected: a name of at most 63 of a-z 0-9 -, with a"
                                + " letter or digit at both ends)");
    }

    @Test
    void brokenSyntaxTakesNoOtherDocumentWithIt() {
        var result = reader.readText("""
                {apiVersion: v1, kind: Namespace, metadata: {name: before}}
                ---
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: broken
                 labels: {}
                ---
                {apiVersion: v1, kind: Namespace, metadata: {name: behind}}
                """, Path.of("three.yaml"));

        assertThat(result.objects()).extracting(object -> object.meta().name()).containsExactly("before", "behind");
        assertThat(result.objects().get(1).meta().position()).hasToString("three.yaml:9");
        assertThat(result.rejected())
                .containsExactly(
                        new ReadResult.Rejected(result.rejected().getFirst().where(), null));
        assertThat(result.rejected().getFirst().where().line()).isEqualTo(7);
    }

    @Test
    void followsAnchorsAndMergeKeys() {
        var result = reader.readText("""
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: shop
                  labels: &labels {a: one, b: two}
                  annotations: {<<: *labels, b: three}
                """, Path.of("merge.yaml"));

        assertThat(result.problems()).isEmpty();
        assertThat(result.objects().getFirst().meta().annotations()).isEqualTo(Map.of("a", "one", "b", "three"));
    }

    @Test
    void keepsTheLastGoodVersionOfWhatIsBrokenNow() {
        var good = reader.readText(SHOP, Path.of("shop.yaml"));

        var namedButWrong =
                reader.readText(SHOP.replace("clusterIP: 10.96.0.77", "clusterIP: ten"), Path.of("shop.yaml"));
        var unreadable = reader.readText(SHOP.replace("kind: Service", "kind: [Service"), Path.of("shop.yaml"));
        var removed = reader.readText(SHOP.substring(0, SHOP.lastIndexOf("---")), Path.of("shop.yaml"));

        assertThat(keys(namedButWrong.objects())).doesNotContain("Service shop/cart");
        assertThat(keys(namedButWrong.objectsKeepingLastGood(good.objects()))).contains("Service shop/cart");
        assertThat(keys(unreadable.objectsKeepingLastGood(good.objects()))).contains("Service shop/cart");
        assertThat(keys(removed.objectsKeepingLastGood(good.objects()))).doesNotContain("Service shop/cart");
    }

    @Test
    void twoVersionsOfAnObjectAreEqualWhenOnlyLinesMoved() {
        var before = reader.readText(SHOP, Path.of("shop.yaml"));
        var moved = reader.readText("# one more line\n\n" + SHOP, Path.of("shop.yaml"));

        assertThat(moved.objects()).isEqualTo(before.objects());
    }

    @Test
    void searchesDirectoriesForYamlAndReportsFilesItCannotUse(@TempDir Path dir) throws IOException {
        Files.writeString(dir.resolve("b.yaml"), "{apiVersion: v1, kind: Namespace, metadata: {name: b}}");
        Files.createDirectories(dir.resolve("a"));
        Files.writeString(dir.resolve("a/x.yml"), "{apiVersion: v1, kind: Namespace, metadata: {name: x}}");
        Files.writeString(
                dir.resolve("c.json"), "{\"apiVersion\":\"v1\",\"kind\":\"Namespace\",\"metadata\":{\"name\":\"c\"}}");
        Files.writeString(dir.resolve(".hidden.yaml"), "{apiVersion: v1, kind: Namespace, metadata: {name: hidden}}");
        Files.writeString(dir.resolve("README.md"), "no configuration");
        Files.write(dir.resolve("d.yaml"), "name: caf\u00e9".getBytes(StandardCharsets.ISO_8859_1));

        var result = reader.read(List.of(dir, dir.resolve("absent.yaml")));

        assertThat(keys(result.objects())).containsExactly("Namespace x", "Namespace b", "Namespace c");
        assertThat(result.problems())
                .extracting(Problem::toString)
                .containsExactly(
                        dir.resolve("d.yaml") + ": bytes that are no text (expected: UTF-8); not read",
                        dir.resolve("absent.yaml")
                                + ": cannot be read (expected: a file that can be read); there is none of that name");
    }

    private <T extends MeshObject> T only(Class<T> kind) {
        return reader.readText(SHOP, Path.of("shop.yaml")).objects().stream()
                .filter(kind::isInstance)
                .map(kind::cast)
                .findFirst()
                .orElseThrow();
    }

    private static List<String> keys(List<MeshObject> objects) {
        return objects.stream().map(object -> object.key().toString()).toList();
    }

    /// Hazard P9: what is not parsed again is read as if it were, whatever happens to the files beside it.
    @Test
    void filesOfTheSameTextGiveTheSameObjectsAndTheSameResult(@TempDir Path directory) throws IOException {
        var memory = new FileMemory();
        var reader = new ConfigReader();
        var steady = directory.resolve("b-steady.yaml");
        var other = directory.resolve("a-other.yaml");
        Files.writeString(steady, namespace("steady") + namespace("twice") + "--- {kind: [broken\n");
        var first = reader.read(List.of(directory), memory);
        var texts = List.of(
                namespace("other"),
                namespace("twice"), // the first of the two counts
                "--- {kind: [broken\n",
                "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Namespace, metadata: {name: item}}\n- 7\n",
                "");

        for (var text : texts) {
            Files.writeString(other, text);
            var again = reader.read(List.of(directory), memory);
            assertThat(again).as(text).isEqualTo(reader.read(List.of(directory)));
            assertThat(object(again, "steady")).isSameAs(object(first, "steady"));
        }

        Files.delete(other);
        assertThat(reader.read(List.of(directory), memory)).isEqualTo(first);
        Files.writeString(steady, namespace("changed"));
        var changed = reader.read(List.of(directory), memory);
        assertThat(changed).isEqualTo(reader.read(List.of(directory)));
        assertThat(changed.objects()).extracting(object -> object.meta().name()).containsExactly("changed");
    }

    private static String namespace(String name) {
        return "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: " + name + "}\n";
    }

    private static MeshObject object(ReadResult read, String name) {
        return read.objects().stream()
                .filter(object -> object.meta().name().equals(name))
                .findFirst()
                .orElseThrow();
    }
}
