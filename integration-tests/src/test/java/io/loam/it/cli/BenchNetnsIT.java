package io.loam.it.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.agent.AgentJvm;
import io.loam.it.programs.Programs;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The benchmark with every load cut to a moment: each candidate is there, each row has a figure, none of them failed.
/// What the figures are is not looked at.
final class BenchNetnsIT {
    private static final List<String> BULK = List.of("throughput", "proxies' CPU");
    private static final List<String> VICTIM =
            List.of("p99 without them", "p99", "p99 beside / without", "the others' throughput");
    private static final List<String> MEMORY =
            List.of("fresh and idle", "0 s after 100 MB of bulk", "100 idle connections", "200 idle connections");
    private static final List<String> START = List.of(
            "to listening in a pod",
            "to ready",
            "p99, first 1,000 requests",
            "p99 of the same, warm",
            "p99 first / warm");

    @Test
    void fillsEveryRowForEveryCandidate(@TempDir Path work) throws Exception {
        var outcome = LoamProgram.bench(
                Map.of("LOAM_BENCH_PROXY", otherProxy(work).toString()),
                "--smoke",
                "--name",
                "itbench",
                "--work",
                work.toString());

        assertThat(outcome.exitCode()).as(outcome.output()).isZero();
        var json = new ObjectMapper().readTree(Files.readString(work.resolve("bench.json")));
        // haproxy-h2 is absent unless random bytes came back through its CONNECT tunnel.
        assertThat(names(json.path("candidates"))).containsExactly("direct", "loam", "haproxy", "haproxy-h2", "other");
        assertThat(names(json.path("absent"))).isEmpty();
        assertThat(failures(json)).as(outcome.output()).isEmpty();
        assertThat(rows(json, "direct").keySet()).containsAll(loads());
        assertThat(rows(json, "haproxy")).containsAllEntriesOf(withProxies());
        var loam = withProxies();
        loam.put("start of a proxy", START);
        assertThat(rows(json, "loam")).containsExactlyInAnyOrderEntriesOf(loam);
        assertThat(rows(json, "other")).containsExactlyInAnyOrderEntriesOf(loam);
        assertThat(rows(json, "haproxy-h2")).containsOnlyKeys("new connections");
        assertThat(json.path("holds")).isNotEmpty();
        assertThat(json.path("remarks").toString()).contains("warm-up, not measured");
        assertThat(work.resolve("bench.html")).isNotEmptyFile();
        assertThat(Path.of("/run/loam/itbench")).doesNotExist();
    }

    /// Our own agent as a program that the benchmark knows nothing about.
    private static Path otherProxy(Path directory) throws IOException {
        var command = new ArrayList<>(
                List.of(Path.of(System.getProperty("java.home"), "bin", "java").toString()));
        command.addAll(AgentJvm.flags(2));
        command.addAll(AgentJvm.cacheFlags(Programs.classPath()));
        command.addAll(AgentJvm.libraryFlags(Programs.classPath()));
        command.addAll(List.of("-cp", Programs.classPath(), "io.loam.agent.Main"));
        var script = Files.writeString(
                directory.resolve("other-proxy"), "#!/bin/sh\nexec '" + String.join("' '", command) + "'\n");
        assertThat(script.toFile().setExecutable(true)).isTrue();
        return script;
    }

    private static List<String> loads() {
        return List.copyOf(withProxies().keySet().stream()
                .filter(group -> !group.startsWith("resident"))
                .toList());
    }

    private static Map<String, List<String>> withProxies() {
        var rows = new HashMap<String, List<String>>();
        for (var direction : List.of("client", "server")) {
            rows.put("bulk, 1 connection, from " + direction, BULK);
            rows.put("bulk, 8 connections, from " + direction, BULK);
        }
        rows.put("500 requests/s", List.of("p50", "p90", "p99", "p99.9", "proxies' CPU"));
        rows.put("1,000 requests/s beside 8 bulk connections of another pod", VICTIM);
        rows.put("new connections", List.of("per second", "proxies' CPU"));
        rows.put("resident memory of the larger proxy", MEMORY);
        return rows;
    }

    /// Group → names of the figures that have a median.
    private static Map<String, List<String>> rows(JsonNode json, String candidate) {
        var rows = new HashMap<String, List<String>>();
        for (var figure : json.path("figures").path(candidate)) {
            if (figure.path("median").isNumber()) {
                rows.computeIfAbsent(figure.path("group").asText(), _ -> new ArrayList<>())
                        .add(figure.path("name").asText());
            }
        }
        return rows;
    }

    private static List<String> failures(JsonNode json) {
        var failures = new ArrayList<String>();
        for (var candidate : json.path("figures")) {
            for (var figure : candidate) {
                figure.path("failures")
                        .forEach(reason -> failures.add(figure.path("group").asText() + ": " + reason.asText()));
            }
        }
        return failures;
    }

    private static List<String> names(JsonNode node) {
        var names = new ArrayList<String>();
        node.fieldNames().forEachRemaining(names::add);
        return names;
    }
}
