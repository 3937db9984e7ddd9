package io.loam.config.compile;

import io.loam.config.cluster.ClusterState;
import io.loam.config.object.EgressMode;
import io.loam.config.object.MeshConfigObject;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.SidecarObject;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.model.workload.Workload.Egress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Where each workload may go outside of the mesh. The narrowest scope that says anything wins: the pod's
/// annotation, a Sidecar that selects it, its namespace's annotation, its namespace's Sidecar, a Sidecar of a
/// root namespace, and the mesh-wide setting. Where two of one scope disagree, the stricter one wins and the
/// other is reported.
final class EgressPolicies {
    private final Map<String, EgressMode> annotated = new HashMap<>();
    private final Map<String, List<SidecarObject>> selecting = new HashMap<>();
    private final Map<String, SidecarObject> byNamespace = new HashMap<>();
    private final List<Problem> problems;
    private @Nullable SidecarObject meshWideSidecar;
    private @Nullable MeshConfigObject meshWide;

    EgressPolicies(ClusterState cluster, List<String> rootNamespaces, List<Problem> problems) {
        this.problems = problems;
        cluster.objects(NamespaceObject.class)
                .forEach(namespace -> annotated.put(
                        namespace.meta().name(), EgressMode.of(namespace.meta().annotations())));
        cluster.objects(SidecarObject.class)
                .filter(sidecar -> sidecar.egress() != EgressMode.UNSPECIFIED)
                .forEach(sidecar -> {
                    var namespace = sidecar.meta().namespace();
                    if (!sidecar.workloadSelector().isEmpty()) {
                        selecting
                                .computeIfAbsent(namespace, _ -> new ArrayList<>())
                                .add(sidecar);
                    } else if (rootNamespaces.contains(namespace)) {
                        meshWideSidecar = stricter(meshWideSidecar, sidecar);
                    } else {
                        byNamespace.merge(namespace, sidecar, this::stricter);
                    }
                });
        cluster.objects(MeshConfigObject.class)
                .filter(settings -> settings.egress() != EgressMode.UNSPECIFIED)
                .forEach(settings -> meshWide = stricter(meshWide, settings));
    }

    Egress of(Member member) {
        var namespace = member.namespace();
        SidecarObject selected = null;
        for (var sidecar : selecting.getOrDefault(namespace, List.of())) {
            if (member.labels()
                    .entrySet()
                    .containsAll(sidecar.workloadSelector().entrySet())) {
                selected = stricter(selected, sidecar);
            }
        }
        return firstSet(
                EgressMode.of(member.annotations()),
                modeOf(selected),
                annotated.getOrDefault(namespace, EgressMode.UNSPECIFIED),
                modeOf(byNamespace.get(namespace)),
                modeOf(meshWideSidecar),
                meshWide == null ? EgressMode.UNSPECIFIED : meshWide.egress());
    }

    private static Egress firstSet(EgressMode... narrowestFirst) {
        for (var mode : narrowestFirst) {
            switch (mode) {
                case ALLOW_ANY -> {
                    return Egress.ALLOW_ANY;
                }
                case REGISTRY_ONLY -> {
                    return Egress.REGISTRY_ONLY;
                }
                case UNSPECIFIED -> {}
            }
        }
        return Egress.ALLOW_ANY;
    }

    private static EgressMode modeOf(@Nullable SidecarObject sidecar) {
        return sidecar == null ? EgressMode.UNSPECIFIED : sidecar.egress();
    }

    private SidecarObject stricter(@Nullable SidecarObject first, SidecarObject second) {
        return first == null ? second : pick(first, first.egress(), second, second.egress(), "spec");
    }

    private MeshConfigObject stricter(@Nullable MeshConfigObject first, MeshConfigObject second) {
        return first == null ? second : pick(first, first.egress(), second, second.egress(), "");
    }

    private <T extends MeshObject> T pick(T first, EgressMode ofFirst, T second, EgressMode ofSecond, String field) {
        if (ofFirst == ofSecond) {
            return first;
        }
        var winner = ofFirst == EgressMode.REGISTRY_ONLY ? first : second;
        var loser = winner.equals(first) ? second : first;
        var path = field.isEmpty() ? "outboundTrafficPolicy" : field + ".outboundTrafficPolicy";
        var problem = new Problem(
                Severity.WARNING,
                loser.meta().origin().of(path),
                loser.key().toString(),
                path,
                "ALLOW_ANY",
                "one policy for the same workloads",
                winner.key() + " at " + winner.meta().position() + " is stricter and wins");
        if (!problems.contains(problem)) {
            problems.add(problem);
        }
        return winner;
    }
}
