package io.loam.config.compile;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.PodObject;
import io.loam.config.problem.Problem;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.UnaryOperator;

/// What documents come to: their pods run on `node-1`, ready and captured, on 10.244.1.1 and up, in the order
/// written.
record Compiled(CompiledMesh mesh) {
    static Compiled of(String yaml) {
        return of(yaml, UnaryOperator.identity());
    }

    static Compiled of(String yaml, UnaryOperator<RunningPod> change) {
        var read = new ConfigReader().readText(yaml, Path.of("mesh.yaml"));
        assertThat(read.rejected()).as("%s", read.problems()).isEmpty();
        var pods = new ArrayList<RunningPod>();
        for (var object : read.objects()) {
            if (object instanceof PodObject pod) {
                pods.add(change.apply(new RunningPod(
                        pod,
                        "uid-" + pods.size(),
                        "node-1",
                        List.of(InetAddress.ofLiteral("10.244.1." + (pods.size() + 1))),
                        RunningPod.Phase.RUNNING,
                        true,
                        false,
                        !"http".equals(pod.meta().labels().get("networking.istio.io/tunnel")),
                        null)));
            }
        }
        return new Compiled(MeshCompiler.compile(new ClusterState(read.objects(), pods), MeshSettings.DEFAULT));
    }

    Workload workload(String name) {
        return mesh.workloads().stream()
                .filter(workload -> workload.name().equals(name))
                .findFirst()
                .orElseThrow();
    }

    Service service(String hostname) {
        return mesh.services().stream()
                .filter(service -> service.hostname().equals(hostname))
                .findFirst()
                .orElseThrow();
    }

    AuthorizationPolicy policy(String key) {
        return mesh.policies().stream()
                .filter(policy -> policy.key().equals(key))
                .findFirst()
                .orElseThrow();
    }

    /// As an agent that hears all of it has it.
    MeshSnapshot snapshot() {
        return MeshSnapshot.EMPTY.apply(MeshDelta.of(mesh.workloads(), mesh.services(), mesh.policies()));
    }

    List<String> problems() {
        return mesh.problems().stream()
                .filter(problem -> !problem.field().equals("metadata.namespace"))
                .map(Problem::toString)
                .toList();
    }
}
