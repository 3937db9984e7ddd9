package io.loam.lab.control;

import io.loam.config.cluster.RunningPod;
import io.loam.config.cluster.RunningPod.Owner;
import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.object.DeploymentObject.PodTemplate;
import io.loam.config.object.ObjectMeta;
import io.loam.config.object.PodObject;
import io.loam.lab.network.PodLink;
import io.loam.lab.process.PodRun;
import io.loam.lab.process.PodSandbox;
import io.loam.lab.process.PodStatus;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// All that is known of one pod. Belongs to the cluster's thread.
final class PodRecord {
    final String uid;
    final PodLink link;
    final Path directory;
    private final @Nullable Owner owner;
    private final @Nullable PodTemplate template;
    PodObject pod;
    PodView.Stage stage = PodView.Stage.CREATING;
    PodView.Mesh mesh = PodView.Mesh.OUTSIDE;

    /// Why it is not in the mesh yet, or not as it should be; "" = nothing to say.
    String meshReason = "";

    /// The annotations that its rules follow; empty before it joins.
    Map<String, String> enrolledWith = Map.of();

    /// It left the mesh, and its peers or its node have not all heard of it.
    boolean leaving;

    PodStatus status = new PodStatus(Phase.PENDING, false, "its network is being set up", List.of());

    /// Completes when the attempt to give it a network is over, whatever came of it.
    final CompletableFuture<Void> created = new CompletableFuture<>();

    /// Null until it has its network.
    @Nullable
    PodSandbox sandbox;

    @Nullable
    PodRun run;

    PodRecord(
            String uid,
            PodObject pod,
            @Nullable Owner owner,
            @Nullable PodTemplate template,
            PodLink link,
            Path directory) {
        this.uid = uid;
        this.pod = pod;
        this.owner = owner;
        this.template = template;
        this.link = link;
        this.directory = directory;
    }

    String name() {
        return pod.meta().namespace() + "/" + pod.meta().name();
    }

    String node() {
        return link.node().name();
    }

    void relabel(ObjectMeta meta) {
        pod = new PodObject(meta, pod.spec(), pod.requestedIps());
    }

    PodView view() {
        return new PodView(uid, pod, owner, template, node(), link.ips(), stage, status.phase(), status.ready(), mesh);
    }

    RunningPod running() {
        return new RunningPod(
                pod,
                uid,
                node(),
                stage == PodView.Stage.CREATING ? List.of() : link.ips(),
                status.phase(),
                status.ready(),
                stage == PodView.Stage.ENDING,
                mesh == PodView.Mesh.INSIDE,
                owner);
    }

    /// What is missing until it is as it should be; "" = nothing.
    String pending() {
        if (stage == PodView.Stage.ENDING) {
            return "is ending";
        }
        if (mesh == PodView.Mesh.JOINING) {
            return "is joining the mesh" + (meshReason.isEmpty() ? "" : ": " + meshReason);
        }
        if (leaving) {
            return "is leaving the mesh";
        }
        if (mesh == PodView.Mesh.INSIDE && !meshReason.isEmpty()) {
            return "is in the mesh, but not as it should be: " + meshReason;
        }
        return status.phase() == Phase.SUCCEEDED || status.ready() ? "" : "is not ready: " + status.reason();
    }
}
