package io.loam.lab;

import io.loam.config.cluster.ClusterState;
import io.loam.config.object.AuthorizationPolicyObject;
import io.loam.config.object.PeerAuthenticationObject;
import io.loam.model.explain.WrittenPolicies;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;

/// The policies as they stand in the files of a lab.
///
/// @param rootNamespaces those whose policies are for the whole mesh
record LabPolicies(ClusterState state, List<String> rootNamespaces) implements WrittenPolicies {
    @Override
    public int sources(String policy, int rule) {
        return rule(policy, rule).map(written -> written.from().size()).orElse(0);
    }

    @Override
    public int operations(String policy, int rule) {
        return rule(policy, rule).map(written -> written.to().size()).orElse(0);
    }

    private Optional<AuthorizationPolicyObject.Rule> rule(String policy, int rule) {
        return state.objects(AuthorizationPolicyObject.class)
                .filter(object ->
                        (object.meta().namespace() + "/" + object.meta().name()).equals(policy))
                .filter(object -> rule < object.rules().size())
                .map(object -> object.rules().get(rule))
                .findFirst();
    }

    /// All that could hold for the workload, the narrowest first; which one does is the compiler's to say.
    @Override
    public String strictMode(String namespace, String workload) {
        var labels = state.pods().stream()
                .filter(pod -> pod.namespace().equals(namespace) && pod.name().equals(workload))
                .map(pod -> pod.pod().meta().labels())
                .findFirst()
                .orElseThrow(() -> new IllegalArgumentException("no pod " + namespace + "/" + workload));
        return state.objects(PeerAuthenticationObject.class)
                .filter(object -> object.meta().namespace().equals(namespace)
                        || rootNamespaces.contains(object.meta().namespace()))
                .filter(object ->
                        labels.entrySet().containsAll(object.selector().entrySet()))
                .filter(object -> object.mode() != PeerAuthenticationObject.Mode.UNSET)
                .min(Comparator.comparing((PeerAuthenticationObject object) ->
                                object.selector().isEmpty())
                        .thenComparing(
                                object -> rootNamespaces.contains(object.meta().namespace())))
                .map(object -> object.key().toString())
                .orElse("a PeerAuthentication in namespace " + namespace);
    }
}
