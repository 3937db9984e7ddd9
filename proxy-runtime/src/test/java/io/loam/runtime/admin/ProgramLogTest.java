package io.loam.runtime.admin;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.AppenderBase;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/// Hazard P16 for what the program itself has to say: event loops log too.
class ProgramLogTest {
    private final Logger root = (Logger) LoggerFactory.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
    private final List<Appender<ILoggingEvent>> others = new ArrayList<>();
    private final CountDownLatch open = new CountDownLatch(1);
    private final CountDownLatch blocked = new CountDownLatch(1);
    private final List<String> written = new CopyOnWriteArrayList<>();
    private final PrometheusRegistry registry = new PrometheusRegistry();

    /// A pipe that nobody reads.
    private final AppenderBase<ILoggingEvent> pipe = new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
            blocked.countDown();
            try {
                open.await();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            }
            written.add(event.getFormattedMessage());
        }
    };

    @BeforeEach
    void logToThePipe() {
        root.iteratorForAppenders().forEachRemaining(others::add);
        others.forEach(root::detachAppender);
        pipe.setContext(root.getLoggerContext());
        pipe.start();
        root.addAppender(pipe);
    }

    @AfterEach
    void logAsBefore() {
        open.countDown();
        root.detachAppender(pipe);
        others.forEach(root::addAppender);
    }

    @Test
    void aBlockedPipeCostsMessagesAndNoTime() throws Exception {
        var programLog = ProgramLog.install(registry);
        root.warn("first");
        assertThat(blocked.await(10, TimeUnit.SECONDS)).isTrue();

        long began = System.nanoTime();
        for (int i = 0; i < ProgramLog.QUEUE_MESSAGES + 100; i++) {
            root.warn("message {}", i);
        }
        var took = Duration.ofNanos(System.nanoTime() - began);
        assertThat(dropped()).isEqualTo(100);
        open.countDown();
        programLog.close();

        assertThat(written).hasSize(1 + ProgramLog.QUEUE_MESSAGES).startsWith("first", "message 0");
        System.out.printf(
                "hazard P16: %d messages against a blocked pipe took the caller %d us, 100 dropped and counted%n",
                ProgramLog.QUEUE_MESSAGES + 100, took.toNanos() / 1_000);
        assertThat(took).isLessThan(Duration.ofSeconds(5));
        assertThat(root.isAttached(pipe)).as("back as it was").isTrue();
    }

    private double dropped() {
        return ((CounterSnapshot) registry.scrape("loam_log_dropped"::equals).get(0))
                .getDataPoints()
                .getFirst()
                .getValue();
    }
}
