package io.loam.lab.control;

import io.loam.config.cluster.RunningPod.Owner;
import io.loam.config.object.DeploymentObject.PodTemplate;
import io.loam.config.object.ObjectMeta;
import io.loam.config.object.PodObject;
import org.jspecify.annotations.Nullable;

/// One step from what runs to what is written.
sealed interface Action {
    record AddNode(String node) implements Action {}

    record RemoveNode(String node) implements Action {}

    /// Gives the pod a network; its containers start later ({@link StartContainers}).
    record Create(
            PodObject pod, @Nullable Owner owner, @Nullable PodTemplate template, String node) implements Action {}

    record StartContainers(String uid) implements Action {}

    /// Labels or annotations changed; its processes do not notice.
    record Relabel(String uid, ObjectMeta meta) implements Action {}

    record Join(String uid) implements Action {}

    record Leave(String uid) implements Action {}

    record End(String uid, String reason) implements Action {}
}
