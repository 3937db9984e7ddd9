package io.loam.controlplane.xds;

import io.loam.controlplane.xds.ResourceSet.Difference;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What one stream wants of one type and what it was told already (wire reference, 4.2). Not thread-safe: guarded
/// by its stream. Sends nothing itself.
///
/// At most one response is outstanding: a slow proxy gets the sum of what it missed with the next one, so that it
/// costs the control plane neither memory nor time.
final class TypeSubscription {
    /// Ten times the addresses of the largest mesh we measure.
    private static final int MAX_NAMES = 200_000;

    private final ResourceType type;
    private boolean wildcard;
    private boolean established;
    private boolean answerDue;

    /// Whether the first response is (nearly) the whole mesh; null before somebody asked.
    private @Nullable Boolean fullSync;

    /// Instead of the names in `held`, while a full sync waits for its turn: the resources there were when it began to.
    private @Nullable ResourceSet before;
    /// On-demand: what the proxy asked for, as it asked (a name or an alias).
    private final Set<String> names = new LinkedHashSet<>();
    /// On-demand: asked since the last response, so to be answered even where nothing has changed or nothing
    /// exists.
    private final Set<String> asked = new LinkedHashSet<>();
    /// On-demand: named in the first request, so to be answered unless the proxy holds just this.
    private final Set<String> resumed = new LinkedHashSet<>();
    /// What the proxy holds, name to version. On wildcard only until the first response, then `sent` says it.
    private Map<String, String> held = new HashMap<>();
    private @Nullable ResourceSet sent;
    private @Nullable ResourceSet lookedAt;
    private @Nullable String outstandingNonce;
    private long outstandingGeneration;
    private long acknowledgedGeneration;

    TypeSubscription(ResourceType type) {
        this.type = type;
    }

    sealed interface Reply {}

    /// The request acknowledged nothing.
    record Nothing() implements Reply {}

    record Accepted() implements Reply {}

    /// The proxy could not use some of what it was sent.
    record Rejected(String message) implements Reply {}

    record TooManyNames(int count) implements Reply {}

    Reply onRequest(DeltaDiscoveryRequest request) {
        if (!established) {
            establish(request);
        } else {
            change(request);
        }
        if (names.size() > MAX_NAMES || held.size() > MAX_NAMES) {
            return new TooManyNames(Math.max(names.size(), held.size()));
        }
        // A nonce that is not the outstanding one belongs to nothing that is waited for.
        if (outstandingNonce == null || !outstandingNonce.equals(request.getResponseNonce())) {
            return new Nothing();
        }
        outstandingNonce = null;
        acknowledgedGeneration = outstandingGeneration;
        return request.hasErrorDetail() ? new Rejected(request.getErrorDetail().getMessage()) : new Accepted();
    }

    private void establish(DeltaDiscoveryRequest request) {
        established = true;
        answerDue = true; // even an empty mesh: a proxy is ready when it has heard of both types
        held.putAll(request.getInitialResourceVersionsMap());
        var subscribed = request.getResourceNamesSubscribeList();
        wildcard = (subscribed.isEmpty() || subscribed.contains("*"))
                && !request.getResourceNamesUnsubscribeList().contains("*");
        if (!wildcard) {
            names.addAll(held.keySet()); // a reconnect continues what the proxy knows
            change(request);
            resumed.addAll(asked);
            asked.clear();
        }
    }

    private void change(DeltaDiscoveryRequest request) {
        for (var name : request.getResourceNamesSubscribeList()) {
            if (name.equals("*")) {
                continue;
            }
            names.add(name);
            asked.add(name);
            answerDue = true;
        }
        for (var name : request.getResourceNamesUnsubscribeList()) {
            if (name.equals("*")) {
                wildcard = false;
                continue;
            }
            names.remove(name);
            asked.remove(name);
            resumed.remove(name);
            held.remove(name); // the proxy forgets it by itself
        }
        lookedAt = null;
    }

    boolean isOutstanding() {
        return outstandingNonce != null;
    }

    /// Whether the next response carries most of the resources, since the proxy is new, remembers names only, or holds
    /// versions of another time: what may not go to all at once.
    boolean isFullSync(MeshResources mesh) {
        if (!established || !wildcard || sent != null) {
            return false;
        }
        if (fullSync == null) {
            var current = mesh.of(type);
            long same = held.entrySet().stream()
                    .filter(entry -> {
                        var resource = current.get(entry.getKey());
                        return resource != null && resource.version().equals(entry.getValue());
                    })
                    .count();
            fullSync = 2 * same < current.size();
        }
        return fullSync;
    }

    /// To be called when a full sync has to wait: who waits keeps no names and versions of its own that others have as
    /// well. Those of 500 agents that came back together would be some times the mesh (hazard P8). It will be sent
    /// everything.
    void waits(MeshResources mesh) {
        if (before == null) {
            var current = mesh.of(type);
            var others = new HashMap<String, String>();
            held.forEach((name, version) -> {
                if (current.get(name) == null) {
                    others.put(name, version);
                }
            });
            held = others;
            before = current;
        }
    }

    long acknowledgedGeneration() {
        return acknowledgedGeneration;
    }

    /// What has to be sent now, or null if nothing has to, or a response is still outstanding. Whoever gets
    /// something sends it and calls {@link #sent}.
    ///
    /// @param node the proxy's own: its workloads are sent without being asked for
    @Nullable
    Difference next(MeshResources mesh, String node) {
        if (!established || outstandingNonce != null) {
            return null;
        }
        var current = mesh.of(type);
        var difference = current == lookedAt && !answerDue ? Difference.NONE : difference(mesh, current, node);
        lookedAt = current;
        if (difference.isEmpty() && !answerDue) {
            acknowledgedGeneration = mesh.generation();
            return null;
        }
        return difference;
    }

    void sent(String nonce, long generation) {
        outstandingNonce = nonce;
        outstandingGeneration = generation;
        answerDue = false;
        asked.clear();
        resumed.clear();
    }

    private Difference difference(MeshResources mesh, ResourceSet current, String node) {
        if (!wildcard) {
            return onDemand(mesh, node);
        }
        var last = sent;
        sent = current;
        if (last != null) {
            return current.since(last);
        }
        var first = before == null ? current.since(held) : current.all(before, held.keySet());
        held = new HashMap<>();
        before = null;
        return first;
    }

    private Difference onDemand(MeshResources mesh, String node) {
        if (before != null) { // was wildcard until now, and waited
            for (var resource : before.all()) {
                held.put(resource.name(), "");
            }
            before = null;
        }
        if (sent != null) { // was wildcard until now
            for (var resource : sent.all()) {
                held.put(resource.name(), resource.version());
            }
            sent = null;
        }
        var wanted = new LinkedHashMap<String, MeshResource>();
        var removed = new ArrayList<String>();
        var resend = new HashSet<String>();
        for (var resource : mesh.onNode(type, node)) {
            wanted.put(resource.name(), resource);
        }
        for (var name : names) {
            var found = mesh.lookup(type, name);
            if ((asked.contains(name) || resumed.contains(name))
                    && found.stream().noneMatch(resource -> resource.isCalled(name))) {
                removed.add(name); // "does not exist" is an answer, too, also of an address in the range of a service
            }
            for (var resource : found) {
                wanted.put(resource.name(), resource);
                if (asked.contains(name)) {
                    resend.add(resource.name());
                }
            }
        }
        var changed = new ArrayList<MeshResource>();
        for (var resource : wanted.values()) {
            if (resend.contains(resource.name()) || !resource.version().equals(held.get(resource.name()))) {
                changed.add(resource);
                held.put(resource.name(), resource.version());
            }
        }
        held.keySet().removeIf(name -> {
            boolean gone = !wanted.containsKey(name);
            if (gone && !removed.contains(name)) {
                removed.add(name);
            }
            return gone;
        });
        return new Difference(List.copyOf(changed), List.copyOf(removed));
    }
}
