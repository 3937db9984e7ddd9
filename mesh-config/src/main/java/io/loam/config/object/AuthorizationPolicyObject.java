package io.loam.config.object;

import io.loam.model.address.CidrBlock;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Who may connect, as users write it; the fields that need HTTP are kept as text for the waypoint.
///
/// @param selector empty = the whole namespace (the whole mesh in a root namespace)
/// @param targetRefs not empty = a waypoint's policy
/// @param rules ORed; none = matches nothing
public record AuthorizationPolicyObject(
        ObjectMeta meta,
        Map<String, String> selector,
        List<TargetRef> targetRefs,
        Action action,
        List<Rule> rules,
        boolean dryRun)
        implements MeshObject {
    public AuthorizationPolicyObject {
        selector = Map.copyOf(selector);
        targetRefs = List.copyOf(targetRefs);
        rules = List.copyOf(rules);
    }

    public enum Action {
        ALLOW,
        DENY,
        AUDIT,
        CUSTOM
    }

    public record TargetRef(String group, String kind, String name) {}

    /// Any source AND any operation AND all conditions; an empty list does not restrict.
    public record Rule(List<Source> from, List<Operation> to, List<Condition> when) {
        public Rule {
            from = List.copyOf(from);
            to = List.copyOf(to);
            when = List.copyOf(when);
        }
    }

    /// @param trustDomains part of the principal before `/ns/`
    /// @param http fields that need HTTP, by name: `requestPrincipals`, `remoteIpBlocks` and their negations
    public record Source(
            List<StringMatch> principals,
            List<StringMatch> notPrincipals,
            List<StringMatch> namespaces,
            List<StringMatch> notNamespaces,
            List<ServiceAccountMatch> serviceAccounts,
            List<ServiceAccountMatch> notServiceAccounts,
            List<CidrBlock> ipBlocks,
            List<CidrBlock> notIpBlocks,
            List<StringMatch> trustDomains,
            List<StringMatch> notTrustDomains,
            Map<String, List<String>> http) {
        public Source {
            principals = List.copyOf(principals);
            notPrincipals = List.copyOf(notPrincipals);
            namespaces = List.copyOf(namespaces);
            notNamespaces = List.copyOf(notNamespaces);
            serviceAccounts = List.copyOf(serviceAccounts);
            notServiceAccounts = List.copyOf(notServiceAccounts);
            ipBlocks = List.copyOf(ipBlocks);
            notIpBlocks = List.copyOf(notIpBlocks);
            trustDomains = List.copyOf(trustDomains);
            notTrustDomains = List.copyOf(notTrustDomains);
            http = Map.copyOf(http);
        }
    }

    /// @param ports at the node agent the port of the workload, at a waypoint that of the service
    /// @param http fields that need HTTP, by name: `hosts`, `methods`, `paths` and their negations
    public record Operation(Set<Integer> ports, Set<Integer> notPorts, Map<String, List<String>> http) {
        public Operation {
            ports = Set.copyOf(ports);
            notPorts = Set.copyOf(notPorts);
            http = Map.copyOf(http);
        }
    }

    /// @param key for example `source.ip` or `request.headers[x-user]`; values are already checked for the key
    public record Condition(String key, List<String> values, List<String> notValues) {
        public Condition {
            values = List.copyOf(values);
            notValues = List.copyOf(notValues);
        }
    }
}
