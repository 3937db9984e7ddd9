package io.loam.agent.workload;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import io.loam.agent.pod.TestPods;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

final class PodPoliciesTest {
    private final Logger logger = (Logger) LoggerFactory.getLogger(PodPolicies.class);
    private final ListAppender<ILoggingEvent> lines = new ListAppender<>();

    @BeforeEach
    void listen() {
        lines.start();
        logger.addAppender(lines);
    }

    @AfterEach
    void stop() {
        logger.detachAppender(lines);
    }

    /// Wire reference, 7.1: a name that is not known is skipped "with a warning"; ours says that it refuses, once, and
    /// when that is over.
    @Test
    void namesThePoliciesThatAreMissingOnceAndTheirArrival() {
        var cart = TestPods.pod("cart");
        try {
            var policies = new PodPolicies(() -> List.of(cart));
            var without = MeshSnapshot.EMPTY.apply(MeshDelta.builder()
                    .upsert(TestPods.workload("cart", "10.0.0.1", "shop/late"))
                    .build());
            policies.prepare(MeshSnapshot.EMPTY);
            policies.prepare(without);
            policies.prepare(without);
            var with = without.apply(MeshDelta.builder()
                    .upsert(new AuthorizationPolicy(
                            "late", "shop", Scope.WORKLOAD_SELECTOR, Action.DENY, List.of(), false))
                    .build());
            policies.prepare(with);
            policies.prepare(with);

            assertThat(lines.list)
                    .extracting(ILoggingEvent::toString)
                    .containsExactly(
                            "[WARN] policies not received, connections to the pod are refused"
                                    + " pod=shop/cart uid=uid-cart policies=[shop/late]",
                            "[INFO] all policies of the pod are known now"
                                    + " pod=shop/cart uid=uid-cart policies=[shop/late]");
        } finally {
            cart.release();
        }
    }
}
