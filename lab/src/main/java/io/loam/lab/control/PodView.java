package io.loam.lab.control;

import io.loam.config.cluster.RunningPod.Owner;
import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.object.DeploymentObject.PodTemplate;
import io.loam.config.object.PodObject;
import java.net.InetAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// A pod that exists, as far as planning looks at it.
///
/// @param pod as it was when it was started, with the labels and annotations it has now
/// @param template what its deployment made it from; null if it has none
/// @param mesh how far it is with joining or leaving the mesh
record PodView(
        String uid,
        PodObject pod,
        @Nullable Owner owner,
        @Nullable PodTemplate template,
        String node,
        List<InetAddress> ips,
        Stage stage,
        Phase phase,
        boolean ready,
        Mesh mesh) {
    enum Stage {
        /// Its network is being set up.
        CREATING,
        /// It has its network; its containers wait for the mesh.
        CONNECTED,
        STARTED,
        /// It is being ended; gone when its last process is.
        ENDING
    }

    enum Mesh {
        OUTSIDE,
        JOINING,
        INSIDE
    }

    boolean isEnding() {
        return stage == Stage.ENDING;
    }

    boolean isDone() {
        return phase == Phase.SUCCEEDED || phase == Phase.FAILED;
    }
}
