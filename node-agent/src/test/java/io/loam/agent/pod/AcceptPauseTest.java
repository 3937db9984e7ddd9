package io.loam.agent.pod;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.embedded.EmbeddedChannel;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.GaugeSnapshot;
import java.io.IOException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// Hazard P10.
class AcceptPauseTest {
    private final PrometheusRegistry metrics = new PrometheusRegistry();
    private final AcceptPause pause = new AcceptPause(metrics);

    @Test
    void aListenerThatCannotAcceptPausesForATenthOfASecondAndGoesOn() {
        var listener = new EmbeddedChannel(pause);
        listener.freezeTime();

        listener.pipeline().fireExceptionCaught(new IOException("accept4(..) failed: Too many open files"));
        assertThat(listener.config().isAutoRead()).isFalse();
        assertThat(paused()).isEqualTo(1);

        listener.advanceTimeBy(99, TimeUnit.MILLISECONDS);
        listener.runScheduledPendingTasks();
        assertThat(listener.config().isAutoRead()).isFalse();

        listener.advanceTimeBy(1, TimeUnit.MILLISECONDS);
        listener.runScheduledPendingTasks();
        assertThat(listener.config().isAutoRead()).isTrue();
        assertThat(paused()).isZero();
        assertThat(listener.isOpen()).isTrue();
        listener.checkException(); // nothing went on to Netty's own handler
    }

    @Test
    void whoFailsAgainPausesAgainAndOthersAreNotTouched() {
        var listener = new EmbeddedChannel(pause);
        var other = new EmbeddedChannel(pause);
        listener.freezeTime();
        for (int round = 1; round <= 3; round++) {
            listener.pipeline().fireExceptionCaught(new IOException("Too many open files"));
            assertThat(listener.config().isAutoRead()).isFalse();
            assertThat(other.config().isAutoRead()).isTrue();
            assertThat(failures()).isEqualTo(round);
            listener.advanceTimeBy(100, TimeUnit.MILLISECONDS);
            listener.runScheduledPendingTasks();
        }
        assertThat(listener.config().isAutoRead()).isTrue();
    }

    private double paused() {
        return ((GaugeSnapshot)
                        metrics.scrape("loam_accept_paused_listeners"::equals).get(0))
                .getDataPoints()
                .getFirst()
                .getValue();
    }

    private double failures() {
        return ((CounterSnapshot) metrics.scrape("loam_accept_failures"::equals).get(0))
                .getDataPoints()
                .getFirst()
                .getValue();
    }
}
