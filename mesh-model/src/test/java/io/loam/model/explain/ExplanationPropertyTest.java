package io.loam.model.explain;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.InboundTarget;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.PolicyFindings;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetSocketAddress;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Collectors;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;

/// What is explained is what agents do. The agents' steps are written here a second time, as `OutboundConnection`,
/// `InboundTunnel`, `PlaintextConnection` and `PolicyCheck` take them, with random numbers as they come.
final class ExplanationPropertyTest {
    private static final int CONNECTIONS = 300;

    @Property(tries = 1_500)
    void everyConnectionEndsAsOneOfTheBranchesAndEveryBranchIsTaken(@ForAll long seed) {
        var random = new RandomMeshes(seed);
        var source = random.source();
        var destination = random.destination();
        var explained = Explanation.branches(random.mesh, source, destination).stream()
                .collect(Collectors.toMap(
                        branch -> outcome(branch.passage()), Explanation.Branch::share, Double::sum, TreeMap::new));

        if (!Passage.isCaptured(source)) {
            return; // no agent decides where it goes; who receives is in the table of ExplanationTest
        }
        var numbers = new Random(seed);
        var happened = new TreeMap<String, Integer>();
        for (int i = 0; i < CONNECTIONS; i++) {
            happened.merge(connect(random.mesh, source, destination, numbers), 1, Integer::sum);
        }

        assertThat(explained.keySet()).as("seed %d", seed).isEqualTo(happened.keySet());
        assertThat(explained.values().stream().mapToDouble(share -> share).sum())
                .isBetween(0.999, 1.001);
        explained.forEach((outcome, share) -> assertThat(happened.getOrDefault(outcome, 0) / (double) CONNECTIONS)
                .as("share of %s, seed %d", outcome, seed)
                .isBetween(share - 0.2, share + 0.2));
    }

    /// Also that the search for proposals ends, and never fails, whatever the mesh.
    @Property(tries = 400)
    void whatIsProposedIsProposedForTheOppositeOfWhatIsTheCase(@ForAll long seed) {
        var random = new RandomMeshes(seed);
        var explanation = Explanation.of(random.mesh, random.source(), random.destination(), WrittenPolicies.UNKNOWN);

        assertThat(explanation.proposals()).allSatisfy(proposal -> {
            assertThat(proposal.steps()).isNotEmpty().doesNotHaveDuplicates();
            assertThat(proposal.edits()).isPositive();
        });
        var only = explanation.branches().size() == 1
                ? explanation.branches().getFirst().passage().inbound()
                : null;
        if (only != null && only.verdict() instanceof Verdict.Denied) {
            var policies = random.mesh.policiesFor(only.local());
            boolean onlyDenying = policies.unknown().isEmpty()
                    && policies.all().stream().noneMatch(policy -> policy.action() == Action.ALLOW && !policy.dryRun());
            int denying = PolicyFindings.of(policies, only.attributes()).stream()
                    .mapToInt(finding -> finding.rules().size())
                    .sum();
            assertThat(onlyDenying && denying <= 3 && explanation.proposals().isEmpty())
                    .as("DENY rules and no way past them, seed %d", seed)
                    .isFalse();
        }
    }

    private static String outcome(Passage passage) {
        var refusal = passage.refusal();
        return refusal == null ? "to " + passage.target() : refusal.code() + " " + passage.target();
    }

    private static String connect(MeshSnapshot mesh, Workload source, InetSocketAddress destination, Random random) {
        var request = new OutboundRequest(source, source.addresses().getFirst(), destination);
        return switch (OutboundRouter.route(mesh, request, random)) {
            case OutboundRoute.Refused refused -> refused.reason() + " null";
            case OutboundRoute.Plaintext plaintext -> {
                var target = plaintext.target();
                var local = mesh.workloadByAddress(new NetworkAddress("", target.getAddress()));
                if (local == null || local.tunnel() == TunnelProtocol.NONE) {
                    yield "to " + target;
                }
                if (ProxyPorts.isIllegalTarget(target.getPort())) {
                    yield "LOOP " + target;
                }
                yield decide(
                        mesh,
                        local,
                        target,
                        new ConnectionAttributes(
                                null, source.addresses().getFirst(), target.getAddress(), target.getPort()));
            }
            case OutboundRoute.Tunnel tunnel -> {
                var local = tunnel.destination();
                if (local.tunnel() == TunnelProtocol.NONE) {
                    yield "to " + tunnel.peer();
                }
                yield switch (InboundTarget.resolve(mesh, local, tunnel.peer(), tunnel.authority())) {
                    case InboundTarget.Rejected rejected -> rejected.reason() + " null";
                    case InboundTarget.Accepted accepted ->
                        decide(
                                mesh,
                                local,
                                accepted.target(),
                                new ConnectionAttributes(
                                        source.identity(),
                                        source.addresses().getFirst(),
                                        accepted.target().getAddress(),
                                        accepted.target().getPort()));
                };
            }
        };
    }

    private static String decide(
            MeshSnapshot mesh, Workload local, InetSocketAddress target, ConnectionAttributes attributes) {
        return switch (Authorizer.decide(mesh.policiesFor(local), attributes)) {
            case Verdict.Allowed _ -> "to " + target;
            case Verdict.Denied _, Verdict.NotMatched _ -> "POLICY_DENIED " + target;
            case Verdict.Undecided _ -> "POLICY_UNKNOWN " + target;
        };
    }
}
