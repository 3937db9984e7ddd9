package io.loam.model.explain;

import static io.loam.model.Meshes.at;
import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.mesh;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.explain.Explanation.Answer;
import io.loam.model.failure.ErrorCode;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match;
import io.loam.model.policy.StringMatch;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Egress;
import io.loam.model.workload.Workload.Status;
import io.loam.model.workload.Workload.TunnelProtocol;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class ExplanationTest {
    private static final String WEB = "cluster.local/ns/shop/sa/web";
    private static final String CART = "cluster.local/ns/shop/sa/cart";
    private static final String TILL = "cluster.local/ns/shop/sa/till";
    private static final WrittenPolicies ONE_SOURCE = new WrittenPolicies() {
        @Override
        public int sources(String policy, int rule) {
            return 1;
        }

        @Override
        public int operations(String policy, int rule) {
            return 1;
        }

        @Override
        public String strictMode(String namespace, String workload) {
            return "PeerAuthentication shop/default";
        }
    };

    private final Workload web = pod("web-1", "10.244.1.2").build();

    private static AuthorizationPolicy policy(String name, Action action, Scope scope, Rule... rules) {
        return new AuthorizationPolicy(name, "shop", scope, action, List.of(rules), false);
    }

    private static Rule from(String... principals) {
        return new Rule(List.of(new Clause(List.of(principals(principals)))));
    }

    private static Match principals(String... principals) {
        return match(
                List.of(principals).stream()
                        .<StringMatch>map(StringMatch.Exact::new)
                        .toList(),
                List.of(),
                Set.of());
    }

    private static Match ports(Integer... ports) {
        return match(List.of(), List.of(), Set.of(ports));
    }

    private static Match match(List<StringMatch> principals, List<StringMatch> notPrincipals, Set<Integer> ports) {
        return new Match(
                List.of(),
                List.of(),
                principals,
                notPrincipals,
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                List.of(),
                ports,
                Set.of());
    }

    private static List<String> steps(Explanation explanation) {
        return explanation.proposals().stream()
                .map(proposal -> String.join(" + ", proposal.steps()))
                .toList();
    }

    @Test
    void anEndpointThatIsAHostNameIsReachedIfItResolves() {
        var database = pod("db-1").of(key("shop", "cart")).with(w -> {
            w.tunnel = TunnelProtocol.NONE;
            w.hostname = "db.example.com";
        });
        var explanation = Explanation.of(
                mesh(web, database, service("cart", "10.96.0.1")), web, at("10.96.0.1", 80), WrittenPolicies.UNKNOWN);

        assertThat(explanation.answer()).isEqualTo(Answer.ALLOWED);
        assertThat(explanation.branches().getFirst().passage().target())
                .isEqualTo(InetSocketAddress.createUnresolved("db.example.com", 8080));
        assertThat(explanation.candidates().getFirst().share()).isEqualTo(1);
    }

    private static ErrorCode code(Explanation explanation) {
        return Objects.requireNonNull(
                        explanation.branches().getFirst().passage().refusal())
                .code();
    }

    @Test
    void aDenyingRuleIsNamedAndItsRemovalProposed() {
        var mesh = mesh(web, pod("cart-1", "10.244.2.2"), policy("closed", Action.DENY, Scope.NAMESPACE, from(WEB)));

        var explanation = Explanation.of(mesh, web, at("10.244.2.2", 8080), ONE_SOURCE);

        assertThat(explanation.answer()).isEqualTo(Answer.REFUSED);
        assertThat(code(explanation)).isEqualTo(ErrorCode.POLICY_DENIED);
        assertThat(steps(explanation))
                .containsExactly(
                        "remove rules[0] of AuthorizationPolicy shop/closed",
                        "add " + WEB
                                + " to source.notPrincipals of from[0] in rules[0] of AuthorizationPolicy shop/closed");
    }

    @Test
    void twoRulesThatBothDenyTakeTwoSteps() {
        var mesh = mesh(
                web,
                pod("cart-1", "10.244.2.2"),
                policy("one", Action.DENY, Scope.NAMESPACE, from(WEB)),
                policy("two", Action.DENY, Scope.NAMESPACE, from(WEB)));

        assertThat(steps(Explanation.of(mesh, web, at("10.244.2.2", 8080), ONE_SOURCE)))
                .contains("remove rules[0] of AuthorizationPolicy shop/one"
                        + " + remove rules[0] of AuthorizationPolicy shop/two");
    }

    @Test
    void anAllowRuleThatNearlyMatchesIsWidenedByTheLeast() {
        var rule = new Rule(List.of(new Clause(List.of(principals(CART, TILL))), new Clause(List.of(ports(8080)))));
        var mesh = mesh(web, pod("cart-1", "10.244.2.2"), policy("friends", Action.ALLOW, Scope.NAMESPACE, rule));

        assertThat(steps(Explanation.of(mesh, web, at("10.244.2.2", 8080), ONE_SOURCE))
                        .getFirst())
                .isEqualTo(
                        "add " + WEB + " to from[0].source.principals in rules[0] of AuthorizationPolicy shop/friends");
        assertThat(steps(Explanation.of(mesh, web, at("10.244.2.2", 9090), ONE_SOURCE)))
                .contains("add " + WEB + " to from[0].source.principals and add \"9090\" to to[0].operation.ports"
                        + " in rules[0] of AuthorizationPolicy shop/friends");
    }

    @Test
    void aCallerOutsideOfTheMeshIsTakenInOrStrictModeRelaxed() {
        var strict = new AuthorizationPolicy(
                "istio_converted_static_strict",
                "loam-system",
                Scope.WORKLOAD_SELECTOR,
                Action.DENY,
                List.of(new Rule(
                        List.of(new Clause(List.of(match(List.of(), List.of(new StringMatch.Presence()), Set.of())))))),
                false);
        var till = pod("till-1", "10.244.1.3")
                .with(made -> made.tunnel = TunnelProtocol.NONE)
                .build();
        var cart = pod("cart-1", "10.244.2.2").with(made -> made.policies = List.of(strict.key()));

        var explanation = Explanation.of(mesh(till, cart, strict), till, at("10.244.2.2", 8080), ONE_SOURCE);

        assertThat(code(explanation)).isEqualTo(ErrorCode.POLICY_DENIED);
        assertThat(steps(explanation))
                .containsExactlyInAnyOrder(
                        "set PeerAuthentication shop/default to PERMISSIVE",
                        "take shop/till-1 into the mesh (label loam.io/dataplane-mode: ambient)");
    }

    @Test
    void anEndpointThatIsNotReadyIsNamed() {
        var cart = pod("cart-1", "10.244.2.2").of(key("shop", "cart")).with(made -> made.status = Status.UNHEALTHY);
        var mesh = mesh(web, cart, service("cart", "10.96.0.2"));

        var explanation = Explanation.of(mesh, web, at("10.96.0.2", 80), ONE_SOURCE);

        assertThat(code(explanation)).isEqualTo(ErrorCode.NO_HEALTHY_UPSTREAM);
        assertThat(explanation.candidates())
                .extracting(Explanation.Candidate::reason)
                .containsExactly("not ready");
        assertThat(steps(explanation)).containsExactly("make pod shop/cart-1 ready");
    }

    @Test
    void eachEndpointMayAnswerDifferently() {
        var closed = policy("closed", Action.DENY, Scope.WORKLOAD_SELECTOR, from(WEB));
        var one = pod("cart-1", "10.244.2.2").of(key("shop", "cart"));
        var two = pod("cart-2", "10.244.2.3").of(key("shop", "cart")).with(made -> {
            made.policies = List.of(closed.key());
            made.capacity = 3;
        });

        var explanation = Explanation.of(
                mesh(web, one, two, closed, service("cart", "10.96.0.2")), web, at("10.96.0.2", 80), ONE_SOURCE);

        assertThat(explanation.answer()).isEqualTo(Answer.DEPENDS);
        assertThat(explanation.candidates())
                .extracting(Explanation.Candidate::share)
                .containsExactly(0.25, 0.75);
        assertThat(steps(explanation)).contains("remove rules[0] of AuthorizationPolicy shop/closed");
    }

    @Test
    void closedEgressIsOpenedByAServiceEntry() {
        var closed = pod("web-1", "10.244.1.2")
                .with(made -> made.egress = Egress.REGISTRY_ONLY)
                .build();

        var explanation = Explanation.of(mesh(closed), closed, at("192.0.2.1", 443), ONE_SOURCE);

        assertThat(code(explanation)).isEqualTo(ErrorCode.NOT_IN_REGISTRY);
        assertThat(steps(explanation))
                .containsExactly(
                        "add a ServiceEntry with address 192.0.2.1 (resolution: NONE)",
                        "set outboundTrafficPolicy ALLOW_ANY for namespace shop");
    }

    @Test
    void whatIsAllowedIsRefusedWithoutTheRuleThatAllows() {
        var mesh = mesh(web, pod("cart-1", "10.244.2.2"), policy("friends", Action.ALLOW, Scope.NAMESPACE, from(WEB)));

        var explanation = Explanation.of(mesh, web, at("10.244.2.2", 8080), ONE_SOURCE);

        assertThat(explanation.answer()).isEqualTo(Answer.ALLOWED);
        assertThat(steps(explanation).getFirst()).isEqualTo("remove rules[0] of AuthorizationPolicy shop/friends");
    }
}
