package io.loam.controlplane.xds;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// All resources of one type at one moment. Immutable. Wildcard streams remember the set they were sent, not a
/// map of their own, so that 500 agents cost no more memory than one.
final class ResourceSet {
    private static final AtomicLong IDS = new AtomicLong();

    static final ResourceSet EMPTY = new ResourceSet(new LinkedHashMap<>());

    private final long id = IDS.incrementAndGet();
    private final Map<String, MeshResource> byName;
    /// By id of the older set: agents that are up to date all ask for the same difference.
    private final Map<Long, Difference> differences = new ConcurrentHashMap<>();

    private ResourceSet(Map<String, MeshResource> byName) {
        this.byName = byName;
    }

    static ResourceSet of(Collection<MeshResource> resources) {
        var byName = LinkedHashMap.<String, MeshResource>newLinkedHashMap(resources.size());
        resources.forEach(resource -> byName.put(resource.name(), resource));
        return new ResourceSet(byName);
    }

    @Nullable
    MeshResource get(String name) {
        return byName.get(name);
    }

    int size() {
        return byName.size();
    }

    Collection<MeshResource> all() {
        return byName.values();
    }

    /// What somebody who holds `older` has to be told.
    Difference since(ResourceSet older) {
        if (older == this) {
            return Difference.NONE;
        }
        return differences.computeIfAbsent(older.id, _ -> {
            var changed = new ArrayList<MeshResource>();
            for (var resource : byName.values()) {
                var before = older.byName.get(resource.name());
                if (before == null || !before.version().equals(resource.version())) {
                    changed.add(resource);
                }
            }
            var removed = new ArrayList<String>();
            for (var name : older.byName.keySet()) {
                if (!byName.containsKey(name)) {
                    removed.add(name);
                }
            }
            return new Difference(changed, removed);
        });
    }

    /// What somebody who holds these versions has to be told.
    Difference since(Map<String, String> heldVersions) {
        var changed = new ArrayList<MeshResource>();
        for (var resource : byName.values()) {
            if (!resource.version().equals(heldVersions.get(resource.name()))) {
                changed.add(resource);
            }
        }
        var removed = new ArrayList<String>();
        for (var name : heldVersions.keySet()) {
            if (!byName.containsKey(name)) {
                removed.add(name);
            }
        }
        return new Difference(changed, removed);
    }

    /// Everything, for somebody who may hold resources of an older set and some others, of whatever version.
    Difference all(ResourceSet older, Collection<String> others) {
        var removed = new ArrayList<String>();
        for (var names : List.of(older.byName.keySet(), others)) {
            for (var name : names) {
                if (!byName.containsKey(name)) {
                    removed.add(name);
                }
            }
        }
        return new Difference(List.copyOf(byName.values()), removed);
    }

    /// @param removed names
    record Difference(List<MeshResource> changed, List<String> removed) {
        static final Difference NONE = new Difference(List.of(), List.of());

        boolean isEmpty() {
            return changed.isEmpty() && removed.isEmpty();
        }
    }
}
