package io.loam.jmh;

import io.loam.model.address.CidrBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Match;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Suffix;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/// Question: does a decision get slower with the number of policies that apply to a workload? A user with one
/// policy per caller has thousands of them, in one namespace or selecting one workload.
///
/// Expected: no. At most 2 µs with 10,000 policies of 10 rules each, and 0 B, because rules are found by what
/// they match.
///
/// The ten rules of a policy allow (or deny, one policy in five): an identity; the identities of a namespace by
/// prefix; an account anywhere by suffix; an account; a namespace on a port; namespaces by prefix; an address but
/// not one namespace; a block on two ports; an identity beside a port that all rules name; a destination on a
/// port. Each names somebody else, as users' rules do. What cannot be found (only negations, only `*`) is not
/// here: such a rule is asked each time.
@State(Scope.Benchmark)
public class PolicyBenchmark {
    private static final int RULES = 10;
    private static final int DENIES_EACH = 5;

    @Param({"10", "1000", "10000"})
    public int policies;

    /// How they apply: all policies of the namespace, or all policies that the workload names.
    @Param({"NAMESPACE", "WORKLOAD_SELECTOR"})
    public AuthorizationPolicy.Scope scope = AuthorizationPolicy.Scope.NAMESPACE;

    private MeshSnapshot mesh = MeshSnapshot.EMPTY;
    private Workload workload = Meshes.workload(0, 0, Status.HEALTHY);
    private ConnectionAttributes known = from("client-0");
    private final ConnectionAttributes unknown = from("nobody");

    @Setup
    public void build() {
        var delta = MeshDelta.builder();
        var names = new ArrayList<String>();
        for (int i = 0; i < policies; i++) {
            var policy = policy(i);
            delta.upsert(policy);
            names.add(policy.key());
        }
        mesh = MeshSnapshot.EMPTY.apply(delta.build());
        boolean selected = scope == AuthorizationPolicy.Scope.WORKLOAD_SELECTOR;
        workload = Meshes.workload(0, 0, Status.HEALTHY, selected ? names : List.of());
        known = from("client-" + (policies / 2 / DENIES_EACH * DENIES_EACH + 1)); // the policy for it allows
        check(known, true);
        check(unknown, false);
    }

    private void check(ConnectionAttributes connection, boolean allowed) {
        var verdict = Authorizer.decide(mesh.policiesFor(workload), connection);
        if (verdict.allows() != allowed) {
            throw new IllegalStateException(connection + ": " + verdict);
        }
    }

    /// The caller that no policy names: everything has to be asked.
    @Benchmark
    public Verdict refused() {
        return Authorizer.decide(mesh.policiesFor(workload), unknown);
    }

    @Benchmark
    public Verdict allowed() {
        return Authorizer.decide(mesh.policiesFor(workload), known);
    }

    private static ConnectionAttributes from(String account) {
        var peer = new SpiffeId(Workload.DEFAULT_TRUST_DOMAIN, "shop", account);
        return new ConnectionAttributes(peer, Meshes.podAddress(7), Meshes.podAddress(0), Meshes.TARGET_PORT);
    }

    private AuthorizationPolicy policy(int i) {
        var other = new Exact("cluster.local/ns/other-" + i + "/sa/client");
        var ours = new Exact("shop");
        var rules = List.of(
                rule(principals(new Exact("cluster.local/ns/shop/sa/client-" + i))),
                rule(principals(new Prefix("cluster.local/ns/team-" + i + "/"))),
                rule(principals(new Suffix("/sa/robot-" + i))),
                rule(accounts(new ServiceAccountMatch("shop", "account-" + i))),
                rule(namespaces(new Exact("partner-" + i), List.of(), Set.of(Meshes.TARGET_PORT))),
                rule(namespaces(new Prefix("tenant-" + i + "-"), List.of(), Set.of())),
                rule(sources(CidrBlock.host(Meshes.serviceAddress(i)), List.of(ours), Set.of())),
                rule(sources(new CidrBlock(Meshes.podAddress((i + 1) << 8), 24), List.of(), Set.of(80, 443))),
                rule(principals(other), ports(List.of(), Set.of(Meshes.TARGET_PORT))),
                rule(ports(List.of(CidrBlock.host(Meshes.podAddress(0))), Set.of(10_000 + i))));
        if (rules.size() != RULES) {
            throw new IllegalStateException(rules.size() + " rules");
        }
        return new AuthorizationPolicy(
                "policy-" + i, "shop", scope, i % DENIES_EACH == 0 ? Action.DENY : Action.ALLOW, rules, false);
    }

    /// Every match is a clause of its own.
    private static Rule rule(Match... matches) {
        return new Rule(
                Stream.of(matches).map(match -> new Clause(List.of(match))).toList());
    }

    private static Match principals(StringMatch principal) {
        return match(List.of(), List.of(), List.of(principal), List.of(), List.of(), List.of(), Set.of());
    }

    private static Match accounts(ServiceAccountMatch account) {
        return match(List.of(), List.of(), List.of(), List.of(account), List.of(), List.of(), Set.of());
    }

    private static Match namespaces(StringMatch name, List<StringMatch> not, Set<Integer> ports) {
        return match(List.of(name), not, List.of(), List.of(), List.of(), List.of(), ports);
    }

    private static Match sources(CidrBlock block, List<StringMatch> notNamespaces, Set<Integer> ports) {
        return match(List.of(), notNamespaces, List.of(), List.of(), List.of(block), List.of(), ports);
    }

    private static Match ports(List<CidrBlock> destinations, Set<Integer> ports) {
        return match(List.of(), List.of(), List.of(), List.of(), List.of(), destinations, ports);
    }

    private static Match match(
            List<StringMatch> namespaces,
            List<StringMatch> notNamespaces,
            List<StringMatch> principals,
            List<ServiceAccountMatch> accounts,
            List<CidrBlock> sources,
            List<CidrBlock> destinations,
            Set<Integer> ports) {
        return new Match(
                namespaces,
                notNamespaces,
                principals,
                List.of(),
                accounts,
                List.of(),
                sources,
                List.of(),
                destinations,
                List.of(),
                ports,
                Set.of());
    }
}
