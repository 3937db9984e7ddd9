package io.loam.runtime.xds;

import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.mesh.MeshView;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Puts the mesh together from responses and publishes it. For the thread of {@link XdsClient}.
///
/// Nothing is published before every type was heard once: a mesh of workloads without their policies would let
/// everybody in for as long as the policies take to arrive (hazards, rule 2).
///
/// A mesh from disk (hazard P6) is what the first responses are applied to. Its resources are held without a
/// version, so that the control plane sends them again, or reports them as gone. If it stays away, the mesh
/// from disk is published as it was, and what comes later again only when every type was heard.
final class MeshAssembly {
    private final MeshView view;
    private final Set<String> rootNamespaces;

    /// Null: everything there is is wanted.
    private final @Nullable Interest interest;

    private final Map<ResourceType, Held> held = new EnumMap<>(ResourceType.class);
    private final EnumSet<ResourceType> heard = EnumSet.noneOf(ResourceType.class);
    private MeshSnapshot mesh;
    private @Nullable SavedMesh saved;

    /// @param rootNamespaces whose policies may govern the whole mesh
    /// @param interest which addresses are wanted, null for all
    MeshAssembly(MeshView view, Set<String> rootNamespaces, @Nullable Interest interest) {
        this.view = view;
        this.rootNamespaces = Set.copyOf(rootNamespaces);
        this.interest = interest;
        this.mesh = view.current();
        for (var type : ResourceType.values()) {
            held.put(type, new Held());
        }
    }

    /// Begins with a mesh from disk. Before anything is applied.
    void beginWith(SavedMesh found) {
        saved = found;
        returnTo(found);
    }

    private void returnTo(SavedMesh found) {
        mesh = found.mesh();
        for (var type : ResourceType.values()) {
            var before = new Held();
            found.names(type).forEach(name -> before.versions.put(name, ""));
            held.put(type, before);
        }
        heard.clear();
    }

    /// Whether a mesh from disk waits to be needed.
    boolean hasSaved() {
        return saved != null;
    }

    /// The control plane stays away: publishes the mesh from disk, and nothing of what came without the rest.
    ///
    /// @return what is in force now, empty if nothing was to be done
    Optional<SavedMesh> fallBack() {
        var found = saved;
        if (found == null) {
            return Optional.empty();
        }
        saved = null;
        returnTo(found);
        publish();
        return Optional.of(found);
    }

    private void publish() {
        try {
            if (mesh.version() > view.current().version()) {
                view.publish(mesh);
            }
        } finally {
            view.becameWhole(); // an empty one is whole as well, and one that a listener fails about is current
        }
    }

    /// What the next stream has to say is held: names to versions. Resources that were replaced are there without a
    /// version, so that they are sent again, or reported as gone.
    Map<String, String> versions(ResourceType type) {
        return Map.copyOf(of(type).versions);
    }

    /// Applies what can be read.
    ///
    /// @return what could not, by name
    List<String> apply(ResourceType type, DeltaDiscoveryResponse response) {
        var before = of(type);
        var after = new Held(before);
        var reading = new DeltaReading(type, rootNamespaces);
        for (var name : response.getRemovedResourcesList()) {
            after.replaced.remove(name);
            if (after.versions.remove(name) != null) { // or "nobody has this name", which changes nothing
                reading.remove(name);
            }
        }
        for (var resource : response.getResourcesList()) {
            var name = resource.getName();
            boolean lastGood = after.versions.containsKey(name) && !after.replaced.contains(name);
            switch (reading.read(resource, lastGood)) {
                case TAKEN -> {
                    after.versions.put(name, resource.getVersion());
                    after.replaced.remove(name);
                }
                case KEPT_LAST_GOOD -> {} // and its version, which is not the one that was sent now
                case REPLACED -> {
                    after.versions.put(name, "");
                    after.replaced.add(name);
                }
            }
        }
        var delta = reading.delta();
        if (!delta.isEmpty()) {
            mesh = mesh.apply(delta);
        }
        held.put(type, after); // not earlier: what is said to be held and is not in the mesh never comes again
        heard.add(type);
        if (interest != null && type == ResourceType.ADDRESS) {
            drop(interest, interest.onApplied(response, mesh));
        }
        if (isWhole()) {
            saved = null;
            publish();
            if (interest != null) {
                interest.onPublished(); // not earlier: who goes on by it looks at the mesh in force
            }
        }
        return reading.problems();
    }

    private boolean isWhole() {
        return heard.size() == ResourceType.values().length;
    }

    /// Drops addresses that nobody on this node needs any more.
    ///
    /// @return names that the control plane is to be told are given up
    List<String> sweep(Interest asked) {
        var dropped = asked.sweep(mesh, of(ResourceType.ADDRESS).versions.keySet());
        drop(asked, dropped.resources());
        if (isWhole() && !dropped.resources().isEmpty()) {
            publish();
        }
        return dropped.names();
    }

    private void drop(Interest asked, List<String> names) {
        if (names.isEmpty()) {
            return;
        }
        var after = new Held(of(ResourceType.ADDRESS));
        var delta = MeshDelta.builder();
        for (var name : names) {
            delta.removeAddress(name);
            after.versions.remove(name);
            after.replaced.remove(name);
        }
        mesh = mesh.apply(delta.build());
        held.put(ResourceType.ADDRESS, after);
        asked.onDropped(names);
    }

    private Held of(ResourceType type) {
        var found = held.get(type);
        if (found == null) {
            throw new IllegalStateException("no versions for " + type); // filled for each type in the constructor
        }
        return found;
    }

    /// What is held of one type.
    private static final class Held {
        final Map<String, String> versions;

        /// Names of those that something else refuses for.
        final Set<String> replaced;

        Held() {
            versions = new HashMap<>();
            replaced = new HashSet<>();
        }

        Held(Held before) {
            versions = new HashMap<>(before.versions);
            replaced = new HashSet<>(before.replaced);
        }
    }
}
