package io.loam.ca;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// The pods of one moment, indexed for the questions of {@link ImpersonationCheck}.
public final class PodSnapshot implements PodDirectory {
    public static final PodSnapshot EMPTY = new PodSnapshot(Map.of(), Set.of());

    private final Map<PodKey, Pod> pods;
    private final Set<Placement> placements;

    private PodSnapshot(Map<PodKey, Pod> pods, Set<Placement> placements) {
        this.pods = pods;
        this.placements = placements;
    }

    /// @param pods those of agents included; of two with the same name the last one counts
    public static PodSnapshot of(Collection<Pod> pods) {
        var byKey = new HashMap<PodKey, Pod>();
        pods.forEach(pod -> byKey.put(new PodKey(pod.namespace(), pod.name()), pod));
        var placements = new HashSet<Placement>();
        for (var pod : byKey.values()) {
            if (!pod.failed()) {
                placements.add(new Placement(pod.node(), pod.namespace(), pod.serviceAccount()));
            }
        }
        return new PodSnapshot(byKey, placements);
    }

    @Override
    public Optional<Pod> pod(String namespace, String name) {
        return Optional.ofNullable(pods.get(new PodKey(namespace, name)));
    }

    @Override
    public boolean runsOn(String node, String namespace, String serviceAccount) {
        return placements.contains(new Placement(node, namespace, serviceAccount));
    }

    private record PodKey(String namespace, String name) {}

    private record Placement(String node, String namespace, String serviceAccount) {}
}
