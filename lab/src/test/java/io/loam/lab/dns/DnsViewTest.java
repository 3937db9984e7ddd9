package io.loam.lab.dns;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod;
import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.object.MeshObject;
import io.loam.config.object.PodObject;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// The names of headless services and of their pods (Kubernetes DNS specification 1.1, 2.4).
final class DnsViewTest {
    private static final String HEADLESS = """
            apiVersion: v1
            kind: Service
            metadata: {name: db, namespace: shop}
            spec: {clusterIP: None, selector: {app: db}, ports: [{port: 5432}]}
            ---
            """;

    private final List<RunningPod> pods = new ArrayList<>();
    private String services = HEADLESS;

    @Test
    void aHeadlessServiceIsTheAddressesOfItsReadyPods() throws Exception {
        run("db-0", "", true, false, "10.244.1.2", "fd00:244:1::2");
        run("db-1", "", true, false, "10.244.2.2", "fd00:244:2::2");
        run("db-2", "", false, false, "10.244.2.3");
        run("db-3", "", true, true, "10.244.2.4");

        assertThat(find("db.shop.svc.cluster.local"))
                .containsExactly("10.244.1.2", "10.244.2.2", "fd00:244:1:0:0:0:0:2", "fd00:244:2:0:0:0:0:2");
    }

    @Test
    void aPodOfASubdomainHasANameOfItsOwn() throws Exception {
        run("db-0", "subdomain: db", true, false, "10.244.1.2");
        run("db-1", "subdomain: db, hostname: second", true, false, "10.244.1.3");
        run("db-2", "subdomain: other", true, false, "10.244.1.4");
        run("db-3", "", true, false, "10.244.1.5");

        assertThat(find("db-0.db.shop.svc.cluster.local")).containsExactly("10.244.1.2");
        assertThat(find("Second.db.shop.svc.cluster.local.")).containsExactly("10.244.1.3");
        assertThat(find("db-1.db.shop.svc.cluster.local")).isNull();
        assertThat(find("db-2.db.shop.svc.cluster.local")).isNull();
        assertThat(find("db-3.db.shop.svc.cluster.local")).isNull();
    }

    @Test
    void podsThatAreNotReadyHaveNamesWhereTheServiceSaysSo() throws Exception {
        run("db-0", "subdomain: db", false, false, "10.244.1.2");
        assertThat(find("db.shop.svc.cluster.local")).isEmpty();
        assertThat(find("db-0.db.shop.svc.cluster.local")).isNull();

        services = HEADLESS.replace("clusterIP: None", "clusterIP: None, publishNotReadyAddresses: true");

        assertThat(find("db.shop.svc.cluster.local")).containsExactly("10.244.1.2");
        assertThat(find("db-0.db.shop.svc.cluster.local")).containsExactly("10.244.1.2");
    }

    @Test
    void podsOfAnotherNamespaceAreNotIts() throws Exception {
        services = HEADLESS.replace("namespace: shop", "namespace: elsewhere");
        run("db-0", "subdomain: db", true, false, "10.244.1.2");

        assertThat(find("db.elsewhere.svc.cluster.local")).isEmpty();
    }

    /// @return null if there is no such name
    private @Nullable List<String> find(String name) {
        var objects =
                new ConfigReader().readText(services, Path.of("test.yaml")).objects();
        var found = DnsView.of(new ClusterState(objects, pods), "cluster.local").find(name);
        return found == null
                ? null
                : Stream.concat(found.v4().stream(), found.v6().stream())
                        .map(InetAddress::getHostAddress)
                        .toList();
    }

    private void run(String name, String spec, boolean ready, boolean terminating, String... ips) throws Exception {
        List<MeshObject> read = new ConfigReader()
                .readText("""
                        apiVersion: v1
                        kind: Pod
                        metadata: {name: %s, namespace: shop, labels: {app: db}}
                        spec: {containers: [{name: db, command: [sleep, "1"]}]%s}
                        """.formatted(name, spec.isEmpty() ? "" : ", " + spec), Path.of("pod.yaml"))
                .objects();
        var addresses = new ArrayList<InetAddress>();
        for (var ip : ips) {
            addresses.add(InetAddress.getByName(ip));
        }
        pods.add(new RunningPod(
                (PodObject) read.getFirst(),
                "uid-" + name,
                "one",
                addresses,
                Phase.RUNNING,
                ready,
                terminating,
                false,
                null));
    }
}
