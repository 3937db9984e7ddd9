package io.loam.runtime.loops;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.ConfigException;
import io.loam.runtime.config.WatchdogConfig;
import io.loam.runtime.loops.LoopLag.Step;
import io.netty.channel.DefaultEventLoop;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Hazard P13, with a clock that is moved by hand.
@Timeout(30)
class LoopLagTest {
    private static final long PERIOD = Duration.ofMillis(100).toNanos();

    private long now = 7;
    private final LoopLag lag = new LoopLag(WatchdogConfig.DEFAULT, now);

    private Step after(long nanos, boolean answered) {
        now += nanos;
        return lag.look(now, answered);
    }

    /// What is said in `looks` looks without an answer, with the number of the look.
    private List<String> silence(int looks) {
        var said = new ArrayList<String>();
        for (int look = 1; look <= looks; look++) {
            var step = after(PERIOD, false);
            if (step != Step.FINE) {
                said.add(look + " " + step);
            }
        }
        return said;
    }

    @Test
    void saysEachStepOnceWhenItIsDue() {
        assertThat(silence(400)).containsExactly("11 LOG_STACK", "101 NOT_READY", "301 ABORT");
    }

    @Test
    void aLoopThatAnswersIsLeftAlone() {
        for (int i = 0; i < 1000; i++) {
            assertThat(after(PERIOD, true)).isEqualTo(Step.FINE);
        }
    }

    @Test
    void shortStallsDoNotAddUp() {
        for (int i = 0; i < 100; i++) {
            assertThat(silence(10)).isEmpty();
            assertThat(after(PERIOD, true)).isEqualTo(Step.FINE);
        }
    }

    @Test
    void anAnswerAfterAStallIsARecoveryAndTheNextStallIsSaidAgain() {
        assertThat(silence(150)).containsExactly("11 LOG_STACK", "101 NOT_READY");
        assertThat(after(PERIOD, true)).isEqualTo(Step.RECOVERED);
        assertThat(lag.lagNanos()).isZero();
        assertThat(silence(11)).containsExactly("11 LOG_STACK");
    }

    /// SIGSTOP and SIGCONT an hour later: nobody looked, so nobody knows that the loop was stuck.
    @Test
    void aProcessThatWasStoppedAsAWholeDoesNotEndForIt() {
        assertThat(after(Duration.ofHours(1).toNanos(), false)).isEqualTo(Step.FINE);
        assertThat(after(PERIOD, true)).isEqualTo(Step.FINE);
    }

    @Test
    void refusesThresholdsThatAreOutOfOrder() {
        assertThatThrownBy(() -> new WatchdogConfig(
                        Duration.ofMillis(100), Duration.ofSeconds(1), Duration.ofSeconds(1), Duration.ofSeconds(30)))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("notReadyAfter");
    }

    /// Its thread, and so its name, is not known before its first answer.
    @Test
    void aLoopThatIsHeldFromTheStartIsReadyWhenItAnswers() throws Exception {
        var clock = new AtomicLong();
        var readiness = new Readiness();
        var loop = new DefaultEventLoop();
        try {
            var held = new CountDownLatch(1);
            loop.execute(() -> {
                try {
                    held.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            var watchdog = new LoopWatchdog(
                    List.of(loop), WatchdogConfig.DEFAULT, readiness, new PrometheusRegistry(), clock::get, _ -> {});
            watchdog.look();
            for (int look = 0; look < 101; look++) {
                clock.addAndGet(PERIOD);
                watchdog.look();
            }
            assertThat(readiness.isReady()).isFalse();

            held.countDown();
            loop.submit(() -> {}).get(5, TimeUnit.SECONDS);
            clock.addAndGet(PERIOD);
            watchdog.look();
            assertThat(readiness.isReady()).isTrue();
        } finally {
            loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }

    /// A real loop that is held, and the clock moved past every threshold.
    @Test
    void aHeldLoopMakesTheProcessUnreadyAndThenEndsIt() throws Exception {
        var clock = new AtomicLong();
        var aborted = new AtomicInteger();
        var readiness = new Readiness();
        var loop = new DefaultEventLoop();
        try {
            var watchdog = new LoopWatchdog(
                    List.of(loop),
                    WatchdogConfig.DEFAULT,
                    readiness,
                    new PrometheusRegistry(),
                    clock::get,
                    _ -> aborted.incrementAndGet());
            watchdog.look();
            loop.submit(() -> {}).get(5, TimeUnit.SECONDS); // the first question is answered
            var held = new CountDownLatch(1);
            loop.execute(() -> {
                try {
                    held.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            watchdog.look();
            for (int look = 0; look < 101; look++) {
                clock.addAndGet(PERIOD);
                watchdog.look();
            }
            assertThat(readiness.isReady()).isFalse();
            assertThat(aborted).hasValue(0);

            int looks = 101;
            while (looks < 301 && aborted.get() == 0) {
                clock.addAndGet(PERIOD);
                watchdog.look();
                looks++;
            }
            System.out.printf(
                    "hazard P13: a loop that is held, its lag measured every 100 ms: not ready after 10 s, the process"
                            + " ended after %.1f s of a clock moved by hand%n",
                    looks * PERIOD / 1e9);
            assertThat(aborted).hasValue(1);

            held.countDown();
            loop.submit(() -> {}).get(5, TimeUnit.SECONDS);
            clock.addAndGet(PERIOD);
            watchdog.look();
            assertThat(readiness.isReady()).isTrue();
        } finally {
            loop.shutdownGracefully(0, 1, TimeUnit.SECONDS).sync();
        }
    }
}
