package io.loam.lab;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import io.loam.lab.network.LabName;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A lab's life in some seconds, from which the JVM learns which classes the lab's process needs and which methods
/// are hot (JEP 514 and 515): a lab of one node starts in this process, answers what commands ask, and ends. Run by
/// the build as
///
/// ```
/// java <flags of a lab, see LabProcess> -XX:AOTCacheOutput=<beside the jar files>/lab.aot -cp <as the lab's>
///     io.loam.lab.LabTraining
/// ```
///
/// Needs root, as labs do. Exit codes: 0 done, 1 something did not work as in operation; the cache would be of
/// little use then.
public final class LabTraining {
    private static final Logger LOG = LoggerFactory.getLogger(LabTraining.class);
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final String FILES = """
            {apiVersion: v1, kind: Node, metadata: {name: one}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {loam.io/dataplane-mode: ambient}}}
            ---
            apiVersion: apps/v1
            kind: Deployment
            metadata: {name: web, namespace: shop}
            spec:
              selector: {matchLabels: {app: web}}
              template:
                metadata: {labels: {app: web}}
                spec: {containers: [{name: main, command: [sleep, infinity], readinessProbe: {exec: {command: ["true"]}}}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: caller, namespace: shop}
            spec: {containers: [{name: main, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: nobody, namespace: shop}
            spec:
              selector: {matchLabels: {app: web}}
              action: DENY
              rules: [{from: [{source: {principals: [cluster.local/ns/shop/sa/nobody]}}]}]
            """;

    private LabTraining() {}

    static void main() {
        try {
            var name = new LabName("train" + ProcessHandle.current().pid() % 1_000_000);
            // Whoever interrupts a build finds nothing of the lab afterwards.
            Runtime.getRuntime().addShutdownHook(new Thread(() -> clearAway(name), "clear-away"));
            var folder = Files.createTempDirectory("loam-training");
            try {
                train(name, folder);
            } finally {
                Files.deleteIfExists(folder.resolve("lab.yaml"));
                Files.deleteIfExists(folder);
            }
            System.exit(0);
        } catch (IOException | RuntimeException e) {
            LOG.error("training failed", e);
            System.exit(1);
        }
    }

    private static void clearAway(LabName name) {
        try {
            Lab.down(name.value());
        } catch (IOException e) {
            LOG.warn("lab={} left something behind: run 'loam down {}'", name, name, e);
        }
    }

    private static void train(LabName name, Path folder) throws IOException {
        Files.writeString(folder.resolve("lab.yaml"), FILES);
        try (var lab = Lab.start(name.value(), List.of(folder));
                var _ = LabApi.start(lab)) {
            lab.awaitReady(PATIENCE);
            var api = LabDirectory.OF_THIS_MACHINE
                    .running(name.value())
                    .orElseThrow(() -> new IOException("lab " + name + " did not announce itself"));
            for (var kind : List.of("pods", "services", "workloads")) {
                api.list(kind);
            }
            api.status();
            api.problems();
            api.agents("config_dump");
            api.agents("connections");
            api.entryInto("caller", Optional.empty());
            api.logFiles("caller", Optional.empty());
            api.why("caller", "web.shop", false);
        } catch (LabException e) {
            throw new IOException(e);
        }
    }
}
