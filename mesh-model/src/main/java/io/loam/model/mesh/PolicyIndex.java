package io.loam.model.mesh;

import io.loam.model.policy.ApplicablePolicies;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.CompiledPolicy;
import io.loam.model.policy.PolicyLayer;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// All policies, compiled, and which of them apply to whom (wire reference, 7.1).
///
/// Design. What applies depends on a workload's namespace and on the list of policies it names, so workloads share the
/// answers. An answer is put together from layers: the policies of the mesh, those of the namespace, those that are
/// named. The first two are built here, with the snapshot, and again only where a policy of theirs changed; so 10,000
/// policies of the mesh are indexed once, not once per namespace. The third is usually a handful. Answers are kept as
/// long as no policy changes: a cache of a pure function, so that the index is immutable to everybody who asks.
final class PolicyIndex {
    static final PolicyIndex EMPTY = new PolicyIndex(
            PersistentMap.empty(),
            PersistentMap.empty(),
            PersistentMap.empty(),
            PolicyLayer.EMPTY,
            PersistentMap.empty());

    /// To find an answer by a long list of names takes as long as the list: the workload's uid finds it at once.
    private static final int LONG_LIST = 16;

    private final PersistentMap<String, CompiledPolicy> byKey;
    private final PersistentMap<String, CompiledPolicy> global;
    private final PersistentMap<String, PersistentMap<String, CompiledPolicy>> byNamespace;
    private final PolicyLayer globalLayer;
    private final PersistentMap<String, PolicyLayer> layers; // by namespace
    private final Map<String, Map<List<String>, ApplicablePolicies>> applicable = new ConcurrentHashMap<>();
    private final Map<String, Answer> byUid = new ConcurrentHashMap<>(); // of workloads that name many

    private PolicyIndex(
            PersistentMap<String, CompiledPolicy> byKey,
            PersistentMap<String, CompiledPolicy> global,
            PersistentMap<String, PersistentMap<String, CompiledPolicy>> byNamespace,
            PolicyLayer globalLayer,
            PersistentMap<String, PolicyLayer> layers) {
        this.byKey = byKey;
        this.global = global;
        this.byNamespace = byNamespace;
        this.globalLayer = globalLayer;
        this.layers = layers;
    }

    @Nullable
    AuthorizationPolicy policy(String key) {
        var policy = byKey.get(key);
        return policy == null ? null : policy.source();
    }

    PersistentMap<String, CompiledPolicy> byKey() {
        return byKey;
    }

    /// The next index. Builds the layers of what changed: up to a second for 100,000 rules, so not on an event
    /// loop.
    ///
    /// @param removed keys, before anything is added
    /// @return this index if nothing changed
    PolicyIndex with(Collection<String> removed, Collection<CompiledPolicy> added) {
        var change = new Change();
        removed.forEach(change::remove);
        added.forEach(change::put);
        return change.index();
    }

    /// Allocates nothing once the same question was answered.
    ApplicablePolicies applicableTo(Workload workload) {
        var named = workload.authorizationPolicies();
        if (named.size() > LONG_LIST) {
            return applicableToOneThatNamesMany(workload, named);
        }
        var ofNamespace = applicable.get(workload.namespace());
        var known = ofNamespace == null ? null : ofNamespace.get(named);
        return known != null ? known : workOut(workload.namespace(), named);
    }

    @SuppressWarnings("ReferenceEquality") // a workload whose list changed has another list
    private ApplicablePolicies applicableToOneThatNamesMany(Workload workload, List<String> named) {
        var known = byUid.get(workload.uid());
        if (known == null || known.named != named) {
            known = new Answer(named, workOut(workload.namespace(), named));
            byUid.put(workload.uid(), known);
        }
        return known.policies;
    }

    private record Answer(List<String> named, ApplicablePolicies policies) {}

    private ApplicablePolicies workOut(String namespace, List<String> named) {
        var ofNamespace = applicable.computeIfAbsent(namespace, _ -> new ConcurrentHashMap<>());
        var known = ofNamespace.get(named);
        if (known != null) {
            return known; // another workload that names as many
        }
        var own = new LinkedHashMap<String, CompiledPolicy>();
        var unknown = new LinkedHashSet<String>();
        for (var key : named) {
            var policy = byKey.get(key);
            if (policy == null) {
                unknown.add(key);
            } else if (!appliesUnnamed(policy, namespace)) {
                own.put(key, policy);
            }
        }
        var answer = answer(globalLayer, layers.get(namespace), PolicyLayer.of(own.values()), List.copyOf(unknown));
        ofNamespace.put(named, answer);
        return answer;
    }

    /// Whether a policy is in one of the first two layers.
    private static boolean appliesUnnamed(CompiledPolicy policy, String namespace) {
        return switch (policy.scope()) {
            case GLOBAL -> true;
            case NAMESPACE -> policy.namespace().equals(namespace);
            case WORKLOAD_SELECTOR -> false;
        };
    }

    @SuppressWarnings("ReferenceEquality") // there is one empty layer
    private static ApplicablePolicies answer(
            PolicyLayer global, @Nullable PolicyLayer ofNamespace, PolicyLayer own, List<String> unknown) {
        var all = new ArrayList<PolicyLayer>();
        if (global != PolicyLayer.EMPTY) {
            all.add(global);
        }
        if (ofNamespace != null) {
            all.add(ofNamespace);
        }
        if (own != PolicyLayer.EMPTY) {
            all.add(own);
        }
        return all.isEmpty() && unknown.isEmpty() ? ApplicablePolicies.NONE : ApplicablePolicies.ofLayers(all, unknown);
    }

    /// The next index in the making.
    private final class Change {
        private PersistentMap<String, CompiledPolicy> nextByKey = byKey;
        private PersistentMap<String, CompiledPolicy> nextGlobal = global;
        private PersistentMap<String, PersistentMap<String, CompiledPolicy>> nextByNamespace = byNamespace;
        private final Set<String> namespaces = new HashSet<>();
        private boolean globalChanged;
        private boolean changed;

        void put(CompiledPolicy policy) {
            var key = policy.key();
            if (policy.equals(nextByKey.get(key))) {
                return;
            }
            remove(key);
            changed = true;
            nextByKey = nextByKey.with(key, policy);
            switch (policy.scope()) {
                case GLOBAL -> {
                    globalChanged = true;
                    nextGlobal = nextGlobal.with(key, policy);
                }
                case NAMESPACE ->
                    put(policy.namespace(), ofNamespace(policy.namespace()).with(key, policy));
                case WORKLOAD_SELECTOR -> {} // whoever names it finds it by its key
            }
        }

        void remove(String key) {
            var present = nextByKey.get(key);
            if (present == null) {
                return;
            }
            changed = true;
            nextByKey = nextByKey.without(key);
            switch (present.scope()) {
                case GLOBAL -> {
                    globalChanged = true;
                    nextGlobal = nextGlobal.without(key);
                }
                case NAMESPACE ->
                    put(present.namespace(), ofNamespace(present.namespace()).without(key));
                case WORKLOAD_SELECTOR -> {}
            }
        }

        private void put(String namespace, PersistentMap<String, CompiledPolicy> policies) {
            namespaces.add(namespace);
            nextByNamespace =
                    policies.isEmpty() ? nextByNamespace.without(namespace) : nextByNamespace.with(namespace, policies);
        }

        private PersistentMap<String, CompiledPolicy> ofNamespace(String namespace) {
            var policies = nextByNamespace.get(namespace);
            return policies == null ? PersistentMap.empty() : policies;
        }

        PolicyIndex index() {
            if (!changed) {
                return PolicyIndex.this;
            }
            var nextLayers = layers;
            for (var namespace : namespaces) {
                var policies = nextByNamespace.get(namespace);
                nextLayers = policies == null
                        ? nextLayers.without(namespace)
                        : nextLayers.with(namespace, PolicyLayer.of(policies.values()));
            }
            return new PolicyIndex(
                    nextByKey,
                    nextGlobal,
                    nextByNamespace,
                    globalChanged ? PolicyLayer.of(nextGlobal.values()) : globalLayer,
                    nextLayers);
        }
    }
}
