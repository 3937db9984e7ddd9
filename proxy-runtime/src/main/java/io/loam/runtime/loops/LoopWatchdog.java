package io.loam.runtime.loops;

import io.loam.runtime.admin.Readiness;
import io.loam.runtime.config.WatchdogConfig;
import io.netty.channel.EventLoop;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.LongSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Asks every event loop for a sign of life and says so when one does not answer (hazard P13): first its stack in the
/// log, then "not ready", and in the end the process ends, since a restart serves and a stuck loop does not.
///
/// One thread of its own; the loops run one small task per period.
public final class LoopWatchdog implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(LoopWatchdog.class);

    private final List<Watched> watched;
    private final WatchdogConfig config;
    private final Readiness readiness;
    private final LongSupplier nanoTime;
    private final Consumer<String> abort;
    private final Gauge lag;
    private final Thread thread = new Thread(this::run, "loam-watchdog");
    private volatile boolean closed;

    /// @param nanoTime monotonic clock
    /// @param abort ends the process at once; called on the watchdog's thread, with the name of the lost loop's
    LoopWatchdog(
            Collection<EventLoop> loops,
            WatchdogConfig config,
            Readiness readiness,
            PrometheusRegistry registry,
            LongSupplier nanoTime,
            Consumer<String> abort) {
        this.config = config;
        this.readiness = readiness;
        this.nanoTime = nanoTime;
        this.abort = abort;
        lag = Gauge.builder()
                .name("loam_loop_lag_seconds")
                .help("For how long the event loop that lags most has not run its tasks")
                .register(registry);
        watched = loops.stream()
                .map(loop -> new Watched(loop, new LoopLag(config, nanoTime.getAsLong())))
                .toList();
    }

    /// @param abort ends the process at once; is given the name of the thread that is lost
    public static LoopWatchdog start(
            Collection<EventLoop> loops,
            WatchdogConfig config,
            Readiness readiness,
            PrometheusRegistry registry,
            Consumer<String> abort) {
        var watchdog = new LoopWatchdog(loops, config, readiness, registry, System::nanoTime, abort);
        watchdog.thread.setDaemon(true);
        watchdog.thread.start();
        return watchdog;
    }

    private void run() {
        while (!closed) {
            try {
                TimeUnit.NANOSECONDS.sleep(config.period().toNanos());
            } catch (InterruptedException _) {
                return; // closed
            }
            look();
        }
    }

    /// One look at each loop.
    void look() {
        long most = 0;
        for (var loop : watched) {
            loop.look();
            most = Math.max(most, loop.lag.lagNanos());
        }
        lag.set(most / 1e9);
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }

    private final class Watched {
        private final EventLoop loop;
        private final LoopLag lag;
        private boolean asked;
        private volatile boolean answered = true;
        private volatile @Nullable Thread runs;

        /// What readiness waits for because of this loop, as it was said: its name changes with its first answer.
        private @Nullable String unready;

        Watched(EventLoop loop, LoopLag lag) {
            this.loop = loop;
            this.lag = lag;
        }

        void look() {
            boolean heard = !asked || answered;
            var step = lag.look(nanoTime.getAsLong(), heard);
            if (heard) {
                ask();
            }
            long millis = TimeUnit.NANOSECONDS.toMillis(lag.lagNanos());
            switch (step) {
                case FINE -> {}
                case LOG_STACK ->
                    log.error("event loop does not answer loop={} lag.ms={}\n{}", name(), millis, stack());
                case NOT_READY -> {
                    log.error("event loop is stuck, not ready loop={} lag.ms={}\n{}", name(), millis, stack());
                    unready = "event loop " + name();
                    readiness.pending(unready);
                }
                case ABORT -> {
                    log.error("event loop is lost, ending the process loop={} lag.ms={}\n{}", name(), millis, stack());
                    abort.accept(name());
                }
                case RECOVERED -> {
                    log.warn("event loop answers again loop={}", name());
                    if (unready != null) {
                        readiness.done(unready);
                        unready = null;
                    }
                }
            }
        }

        private void ask() {
            answered = false;
            asked = true;
            try {
                loop.execute(this::answer);
            } catch (RejectedExecutionException _) {
                answered = true; // it was shut down: nobody waits for it
            }
        }

        private void answer() {
            runs = Thread.currentThread();
            answered = true;
        }

        private String name() {
            var thread = runs;
            return thread == null ? loop.toString() : thread.getName();
        }

        private String stack() {
            var thread = runs;
            return thread == null
                    ? "(the loop has never run)"
                    : Stream.of(thread.getStackTrace())
                            .map(frame -> "\tat " + frame)
                            .collect(Collectors.joining("\n"));
        }
    }
}
