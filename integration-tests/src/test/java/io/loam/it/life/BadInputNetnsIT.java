package io.loam.it.life;

import static io.loam.it.bench.MeshBench.await;
import static io.loam.it.bench.MeshBench.caller;
import static io.loam.it.bench.MeshBench.namespace;
import static io.loam.it.bench.MeshBench.redis;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.problem.Problem;
import io.loam.it.bench.MeshBench;
import java.io.IOException;
import java.nio.file.Files;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Mistakes put into the directory of a running lab: each is told with its place, what was good stays
/// in force, the rest keeps working, and mending the file is enough.
final class BadInputNetnsIT {
    private static final String BAD = "bad.yaml";
    private static MeshBench bench;

    @BeforeAll
    static void start() throws Exception {
        bench = MeshBench.start(
                "itbad",
                Map.of(
                        "mesh.yaml",
                        namespace("shop", "loam.io/dataplane-mode: ambient")
                                + redis("shop", "cache", "two")
                                + caller("shop", "alice", "one")
                                + caller("shop", "bob", "one")));
        bench.awaitMesh(true, "shop/cache", "shop/alice", "shop/bob");
    }

    @AfterAll
    static void stop() throws IOException {
        if (bench != null) {
            bench.close();
        }
    }

    @AfterEach
    void mended() throws Exception {
        Files.deleteIfExists(bench.file(BAD));
        await("no problems", () -> bench.lab().problems().isEmpty());
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "unknown kind | {apiVersion: v1, kind: Frobnicator, metadata: {name: x, namespace: shop}} | bad.yaml:1 | kind | Frobnicator",
                "pod without a command | {apiVersion: v1, kind: Pod, metadata: {name: x, namespace: shop}, spec: {containers: [{name: c}]}} | bad.yaml:1 | spec.containers[0].command | command",
                "service without pods | {apiVersion: v1, kind: Service, metadata: {name: x, namespace: shop}, spec: {selector: {app: nobody}, ports: [{port: 80}]}} | bad.yaml:1 | spec.selector | nobody",
                "unreadable YAML | `{apiVersion: v1, kind: [` | bad.yaml | - | expected",
                "invalid CIDR | {apiVersion: security.istio.io/v1, kind: AuthorizationPolicy, metadata: {name: x, namespace: shop}, spec: {rules: [{from: [{source: {ipBlocks: [10.0.0.0/99]}}]}]}} | bad.yaml:1 | ipBlocks[0] | 10.0.0.0/99",
            })
    void aMistakeIsToldWithItsPlaceAndTheRestGoesOn(
            String name, String document, String place, String field, String said) throws Exception {
        bench.write(BAD, document + "\n");

        await("a problem that says " + said, () -> problems().contains(said));
        assertThat(problems()).contains(place).contains(field.equals("-") ? "" : field);
        assertThat(problems()).contains("expected");
        assertServed("shop/alice", true);
    }

    @Test
    void ofTwoPodsWithOneAddressTheFirstRuns() throws Exception {
        var pod = caller("shop", "%s", "one")
                .replace(
                        "labels: {app:",
                        "annotations: {" + io.loam.config.object.PodObject.IP_ANNOTATION
                                + ": 10.244.1.99}, labels: {app:");

        bench.write(BAD, pod.replace("%s", "first") + pod.replace("%s", "second"));

        await(
                "the first pod",
                () -> bench.lab().pods().stream().anyMatch(one -> one.name().equals("first") && one.ready()));
        await("the second pod's problem", () -> problems().contains("10.244.1.99"));
        assertThat(problems()).contains("asks for it too").contains("bad.yaml:");
        assertThat(bench.lab().pods()).noneMatch(one -> one.name().equals("second"));
        assertServed("shop/alice", true);
    }

    @Test
    void theLastGoodVersionOfAPolicyStaysInForceUntilItIsMended() throws Exception {
        bench.write(BAD, policy("principals: [cluster.local/ns/shop/sa/alice]"));
        awaitServed("shop/alice", false);

        bench.write(BAD, policy("ipBlocks: [10.244.1.0/99]"));
        await("the problem", () -> problems().contains("10.244.1.0/99"));
        assertServed("shop/alice", false);
        assertServed("shop/bob", true);

        bench.write(BAD, "{ this is: [ not YAML");
        await(
                "the other problem",
                () -> problems().contains("bad.yaml") && !problems().contains("/99"));
        assertServed("shop/alice", false);
        assertServed("shop/bob", true);

        bench.write(BAD, policy("principals: [cluster.local/ns/shop/sa/bob]"));
        awaitServed("shop/bob", false);
        awaitServed("shop/alice", true);
        assertThat(bench.lab().problems()).isEmpty();

        bench.delete(BAD);
        awaitServed("shop/bob", true);
    }

    private static String policy(String source) {
        return """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: watchman, namespace: shop}
                spec:
                  selector: {matchLabels: {app: cache}}
                  action: DENY
                  rules:
                    - from: [{source: {%s}}]
                """.formatted(source);
    }

    private static String problems() {
        return bench.lab().problems().stream().map(Problem::toString).collect(Collectors.joining("\n"));
    }

    private static void awaitServed(String caller, boolean served) throws Exception {
        await(caller + (served ? " served" : " refused"), () -> isServed(caller) == served);
    }

    private static void assertServed(String caller, boolean served) {
        assertThat(isServed(caller)).as(caller).isEqualTo(served);
    }

    private static boolean isServed(String caller) {
        try (var connection = bench.connect(caller, bench.ipv4("shop/cache"), 6379)) {
            return connection.isAlive();
        } catch (IOException _) {
            return false;
        }
    }
}
