package io.loam.runtime.admin;

import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.Appender;
import ch.qos.logback.core.UnsynchronizedAppenderBase;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.slf4j.LoggerFactory;

/// Puts a queue and a thread between those who log and where the log goes: event loops log too, and a pipe that nobody
/// reads must not hold one of them (hazard P16). A full queue drops and counts; the logging library's own queue drops
/// silently.
public final class ProgramLog implements AutoCloseable {
    /// Messages that may wait.
    static final int QUEUE_MESSAGES = 2_048;

    /// How long what is queued may take at the end.
    private static final Duration LAST_WORDS = Duration.ofSeconds(2);

    private final Queueing queueing;

    private ProgramLog(Queueing queueing) {
        this.queueing = queueing;
    }

    /// Stands in front of whatever the root logger writes to now.
    public static ProgramLog install(PrometheusRegistry registry) {
        var context = (LoggerContext) LoggerFactory.getILoggerFactory();
        var root = context.getLogger(org.slf4j.Logger.ROOT_LOGGER_NAME);
        var targets = new ArrayList<Appender<ILoggingEvent>>();
        root.iteratorForAppenders().forEachRemaining(targets::add);
        var dropped = Counter.builder()
                .name("loam_log_dropped")
                .help("Messages of the program dropped because its log could not be written fast enough")
                .register(registry);
        var queueing = new Queueing(root, targets, dropped);
        queueing.setContext(context);
        queueing.start();
        targets.forEach(root::detachAppender);
        root.addAppender(queueing);
        return new ProgramLog(queueing);
    }

    /// Writes what is queued, at most 2 s long, and puts everything back as it was.
    @Override
    public void close() {
        queueing.root.detachAppender(queueing);
        queueing.stop();
        queueing.targets.forEach(queueing.root::addAppender);
    }

    private static final class Queueing extends UnsynchronizedAppenderBase<ILoggingEvent> {
        private final Logger root;
        private final List<Appender<ILoggingEvent>> targets;
        private final Counter dropped;
        private final ArrayBlockingQueue<ILoggingEvent> queue = new ArrayBlockingQueue<>(QUEUE_MESSAGES);
        private final Thread writer;
        private volatile boolean closed;

        Queueing(Logger root, List<Appender<ILoggingEvent>> targets, Counter dropped) {
            this.root = root;
            this.targets = targets;
            this.dropped = dropped;
            writer = Thread.ofPlatform().daemon().name("loam-log").unstarted(this::write);
        }

        @Override
        public void start() {
            super.start();
            writer.start();
        }

        @Override
        protected void append(ILoggingEvent event) {
            event.prepareForDeferredProcessing(); // arguments may change until it is written
            if (!queue.offer(event)) {
                dropped.inc();
            }
        }

        private void write() {
            try {
                while (!closed || !queue.isEmpty()) {
                    var event = queue.poll(100, TimeUnit.MILLISECONDS);
                    if (event != null) {
                        targets.forEach(target -> target.doAppend(event)); // reports its failures by itself
                    }
                }
            } catch (InterruptedException _) {
                // The time for last words is over.
            }
        }

        @Override
        public void stop() {
            super.stop();
            closed = true;
            try {
                if (!writer.join(LAST_WORDS)) {
                    writer.interrupt();
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt(); // whoever interrupts wants out now; the rest is lost
            }
        }
    }
}
