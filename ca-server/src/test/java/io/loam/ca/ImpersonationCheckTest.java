package io.loam.ca;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.ca.ImpersonationCheck.Decision;
import io.loam.ca.ImpersonationCheck.Granted;
import io.loam.ca.ImpersonationCheck.Reason;
import io.loam.ca.ImpersonationCheck.Refused;
import io.loam.ca.PodDirectory.Pod;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.token.ServiceAccountToken;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Hazards I1 and I2.
class ImpersonationCheckTest {
    private static final String CART = "spiffe://cluster.local/ns/shop/sa/cart";
    private static final ImpersonationCheck CHECK =
            new ImpersonationCheck("cluster.local", Set.of(new ServiceAccountName("loam-system", "node-agent")));
    private static final Pod AGENT_1 = new Pod("loam-system", "agent-1", "a1", "node-agent", "node-1", false);
    private static final Pod AGENT_2 = new Pod("loam-system", "agent-2", "a2", "node-agent", "node-2", false);
    private static final Pod CART_1 = new Pod("shop", "cart-1", "c1", "cart", "node-1", false);
    private static final List<Pod> PODS = List.of(AGENT_1, AGENT_2, CART_1);

    @Test
    void grantsAnAgentTheIdentityOfAPodOnItsNode() {
        assertThat(CHECK.decide(tokenOf(AGENT_1), CART, PodSnapshot.of(PODS)))
                .isEqualTo(new Granted(new SpiffeId("cluster.local", "shop", "cart")));
    }

    @Test
    void grantsEveryoneTheirOwnIdentity() {
        assertThat(CHECK.decide(tokenOf(CART_1), null, PodSnapshot.of(PODS)))
                .isEqualTo(new Granted(new SpiffeId("cluster.local", "shop", "cart")));
        assertThat(CHECK.decide(tokenOf(CART_1), CART, PodSnapshot.of(PODS)))
                .isEqualTo(new Granted(new SpiffeId("cluster.local", "shop", "cart")));
    }

    @ParameterizedTest
    @MethodSource
    void refuses(String situation, ServiceAccountToken caller, String requested, List<Pod> pods, Reason expected) {
        var decision = CHECK.decide(caller, requested, PodSnapshot.of(pods));

        assertThat(decision).as(situation).isInstanceOf(Refused.class);
        assertThat(((Refused) decision).reason()).isEqualTo(expected);
        assertThat(((Refused) decision).detail()).isNotEmpty();
    }

    static Stream<Arguments> refuses() {
        var agent = tokenOf(AGENT_1);
        return Stream.of(
                Arguments.of("pod on another node", tokenOf(AGENT_2), CART, PODS, Reason.NOT_ON_CALLERS_NODE),
                Arguments.of("nobody has it", agent, CART.replace("cart", "none"), PODS, Reason.NOT_ON_CALLERS_NODE),
                Arguments.of(
                        "same account name in another namespace",
                        agent,
                        CART.replace("shop", "bank"),
                        PODS,
                        Reason.NOT_ON_CALLERS_NODE),
                Arguments.of(
                        "pod moved",
                        agent,
                        CART,
                        with(CART_1, pod -> new Pod("shop", "cart-1", "c2", "cart", "node-2", false)),
                        Reason.NOT_ON_CALLERS_NODE),
                Arguments.of(
                        "only pod has failed",
                        agent,
                        CART,
                        with(CART_1, pod -> new Pod("shop", "cart-1", "c1", "cart", "node-1", true)),
                        Reason.NOT_ON_CALLERS_NODE),
                Arguments.of("pod deleted", agent, CART, List.of(AGENT_1, AGENT_2), Reason.NOT_ON_CALLERS_NODE),
                Arguments.of("a workload asks for another", tokenOf(CART_1), agentId(), PODS, Reason.NOT_A_NODE_AGENT),
                Arguments.of(
                        "agent's account in another namespace",
                        token("shop", "node-agent", "cart-1", "c1", "node-1"),
                        CART,
                        PODS,
                        Reason.NOT_A_NODE_AGENT),
                Arguments.of("no SPIFFE id", agent, "spiffe://cluster.local/cart", PODS, Reason.IDENTITY_UNREADABLE),
                Arguments.of("nothing asked for", agent, "", PODS, Reason.IDENTITY_UNREADABLE),
                Arguments.of(
                        "other trust domain",
                        agent,
                        CART.replace("cluster.local", "evil.example"),
                        PODS,
                        Reason.OTHER_TRUST_DOMAIN),
                Arguments.of(
                        "token of no pod",
                        token("loam-system", "node-agent", null, null, null),
                        CART,
                        PODS,
                        Reason.TOKEN_NOT_BOUND_TO_POD),
                Arguments.of(
                        "token without the pod's uid",
                        token("loam-system", "node-agent", "agent-1", null, "node-1"),
                        CART,
                        PODS,
                        Reason.TOKEN_NOT_BOUND_TO_POD),
                Arguments.of("caller's pod deleted", agent, CART, List.of(CART_1), Reason.CALLER_POD_UNKNOWN),
                Arguments.of(
                        "caller's pod created again under its name",
                        agent,
                        CART,
                        with(AGENT_1, pod -> new Pod("loam-system", "agent-1", "a9", "node-agent", "node-1", false)),
                        Reason.CALLER_POD_REPLACED),
                Arguments.of(
                        "caller's pod runs another account",
                        agent,
                        CART,
                        with(AGENT_1, pod -> new Pod("loam-system", "agent-1", "a1", "default", "node-1", false)),
                        Reason.CALLER_POD_OTHER_ACCOUNT),
                Arguments.of(
                        "caller's pod has failed",
                        agent,
                        CART,
                        with(AGENT_1, pod -> new Pod("loam-system", "agent-1", "a1", "node-agent", "node-1", true)),
                        Reason.CALLER_POD_FAILED),
                Arguments.of(
                        "token and directory disagree on the node",
                        token("loam-system", "node-agent", "agent-1", "a1", "node-2"),
                        CART,
                        PODS,
                        Reason.CALLER_POD_OTHER_NODE));
    }

    @Test
    void refusesEvenTheOwnIdentityToAPodThatIsGone() {
        Decision decision = CHECK.decide(tokenOf(CART_1), null, PodSnapshot.EMPTY);

        assertThat(decision).isInstanceOf(Refused.class);
    }

    private static String agentId() {
        return "spiffe://cluster.local/ns/loam-system/sa/node-agent";
    }

    private static List<Pod> with(Pod replaced, UnaryOperator<Pod> change) {
        var pods = new ArrayList<>(PODS);
        pods.replaceAll(pod -> pod.equals(replaced) ? change.apply(pod) : pod);
        return pods;
    }

    private static ServiceAccountToken tokenOf(Pod pod) {
        return token(pod.namespace(), pod.serviceAccount(), pod.name(), pod.uid(), pod.node());
    }

    private static ServiceAccountToken token(
            String namespace, String account, @Nullable String pod, @Nullable String uid, @Nullable String node) {
        return new ServiceAccountToken(
                "https://issuer",
                "system:serviceaccount:" + namespace + ":" + account,
                List.of("istio-ca"),
                namespace,
                account,
                pod,
                uid,
                node,
                Instant.MAX);
    }
}
