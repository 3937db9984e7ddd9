package io.loam.model.mesh;

import io.loam.model.policy.ApplicablePolicies;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.CompiledPolicy;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// All policies, compiled, and which of them apply to whom (wire reference, 7.1).
///
/// What applies depends on a workload's namespace and on the list of policies it names, so workloads share the
/// answers. They are worked out when first asked for and kept as long as no policy changes: this is a cache of a
/// pure function and the index is immutable to everybody who asks.
final class PolicyIndex {
    static final PolicyIndex EMPTY =
            new PolicyIndex(PersistentMap.empty(), PersistentMap.empty(), PersistentMap.empty());

    private final PersistentMap<String, CompiledPolicy> byKey;
    private final PersistentMap<String, CompiledPolicy> global;
    private final PersistentMap<String, PersistentMap<String, CompiledPolicy>> byNamespace;
    private final Map<String, Map<List<String>, ApplicablePolicies>> applicable = new ConcurrentHashMap<>();

    private PolicyIndex(
            PersistentMap<String, CompiledPolicy> byKey,
            PersistentMap<String, CompiledPolicy> global,
            PersistentMap<String, PersistentMap<String, CompiledPolicy>> byNamespace) {
        this.byKey = byKey;
        this.global = global;
        this.byNamespace = byNamespace;
    }

    @Nullable
    AuthorizationPolicy policy(String key) {
        var policy = byKey.get(key);
        return policy == null ? null : policy.source();
    }

    PersistentMap<String, CompiledPolicy> byKey() {
        return byKey;
    }

    PolicyIndex with(AuthorizationPolicy policy) {
        var present = byKey.get(policy.key());
        if (present != null && present.source().equals(policy)) {
            return this;
        }
        var rest = without(policy.key());
        var compiled = CompiledPolicy.of(policy);
        var key = policy.key();
        var nextByKey = rest.byKey.with(key, compiled);
        return switch (policy.scope()) {
            case GLOBAL -> new PolicyIndex(nextByKey, rest.global.with(key, compiled), rest.byNamespace);
            case NAMESPACE ->
                new PolicyIndex(
                        nextByKey,
                        rest.global,
                        rest.byNamespace.with(
                                policy.namespace(),
                                rest.ofNamespace(policy.namespace()).with(key, compiled)));
            case WORKLOAD_SELECTOR -> new PolicyIndex(nextByKey, rest.global, rest.byNamespace);
        };
    }

    PolicyIndex without(String key) {
        var policy = policy(key);
        if (policy == null) {
            return this;
        }
        var nextByKey = byKey.without(key);
        if (policy.scope() != Scope.NAMESPACE) {
            return new PolicyIndex(nextByKey, global.without(key), byNamespace);
        }
        var rest = ofNamespace(policy.namespace()).without(key);
        return new PolicyIndex(
                nextByKey,
                global,
                rest.isEmpty() ? byNamespace.without(policy.namespace()) : byNamespace.with(policy.namespace(), rest));
    }

    /// Allocates nothing once the same question was answered.
    ApplicablePolicies applicableTo(Workload workload) {
        var named = workload.authorizationPolicies();
        var ofNamespace = applicable.get(workload.namespace());
        var known = ofNamespace == null ? null : ofNamespace.get(named);
        return known != null ? known : workOut(workload.namespace(), named);
    }

    private ApplicablePolicies workOut(String namespace, List<String> named) {
        var policies = new LinkedHashMap<String, CompiledPolicy>();
        global.forEach(policies::put);
        ofNamespace(namespace).forEach(policies::put);
        var unknown = new ArrayList<String>();
        for (var key : named) {
            var policy = byKey.get(key);
            if (policy == null) {
                unknown.add(key);
            } else {
                policies.put(key, policy);
            }
        }
        var answer = policies.isEmpty() && unknown.isEmpty()
                ? ApplicablePolicies.NONE
                : ApplicablePolicies.of(policies.values(), unknown);
        applicable.computeIfAbsent(namespace, _ -> new ConcurrentHashMap<>()).put(named, answer);
        return answer;
    }

    private PersistentMap<String, CompiledPolicy> ofNamespace(String namespace) {
        var policies = byNamespace.get(namespace);
        return policies == null ? PersistentMap.empty() : policies;
    }
}
