package io.loam.runtime.accesslog;

import io.loam.runtime.config.LogConfig;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.LongAdder;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongSupplier;
import org.jctools.queues.atomic.MpscAtomicArrayQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The access log. Event loops hand over entries and never wait: when the queue is full (a blocked pipe, a full disk)
/// the entry is dropped and counted (hazard P16). What is missing, for that reason or because of the limit of lines per
/// second, is said in the log itself as soon as it can be written again.
public final class AccessLog implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(AccessLog.class);

    /// Entries that may wait; what ztunnel keeps too.
    private static final int QUEUE_ENTRIES = 16_384;

    private static final int BATCH_CHARS = 64 * 1024;

    /// While connections end one after another, lines are collected this long: waking the writer for each would cost
    /// the event loop a system call and the machine two switches per connection.
    private static final long COLLECT_NANOS = 5_000_000;

    private static final long SECOND = TimeUnit.SECONDS.toNanos(1);

    private final MpscAtomicArrayQueue<AccessLogEntry> queue = new MpscAtomicArrayQueue<>(QUEUE_ENTRIES);
    private final LongSupplier nanoTime;
    private volatile AccessLogSettings settings;
    private final OutputStream out;
    private final Counter dropped;
    private final Counter limited;

    /// The same as the counter, for the writer to read.
    private final LongAdder lost = new LongAdder();

    private final Thread writer;
    private volatile boolean asleep;
    private volatile boolean closed;
    // The rest is the writer's.

    private AccessLogFormat format;
    private boolean broken;
    private long secondBegan;
    private int linesThisSecond;
    private long limitedUnsaid;
    private long lostSaid;

    /// In the batch that is not written yet.
    private int batchedLines;

    /// @param out flushed after each batch; owned by the caller
    public AccessLog(LogConfig.Format format, OutputStream out, PrometheusRegistry registry) {
        this(AccessLogSettings.all(format), out, registry, System::nanoTime);
    }

    /// @param nanoTime what the limit of lines per second goes by
    AccessLog(AccessLogSettings settings, OutputStream out, PrometheusRegistry registry, LongSupplier nanoTime) {
        this.settings = settings;
        this.format = new AccessLogFormat(settings.format());
        this.out = out;
        this.nanoTime = nanoTime;
        secondBegan = nanoTime.getAsLong();
        dropped = Counter.builder()
                .name("loam_access_log_dropped")
                .help("Access-log lines dropped because the log could not be written fast enough")
                .register(registry);
        limited = Counter.builder()
                .name("loam_access_log_limited")
                .help("Access-log lines left out because of the limit of lines per second")
                .register(registry);
        writer = Thread.ofPlatform().daemon().name("loam-access-log").start(this::write);
    }

    public AccessLogSettings settings() {
        return settings;
    }

    /// For lines from now on, those that are queued included. Any thread.
    public void configure(AccessLogSettings next) {
        settings = next;
    }

    /// Any thread; never blocks.
    public void log(AccessLogEntry entry) {
        if (!queue.offer(entry)) {
            drop(1);
        } else if (asleep) {
            LockSupport.unpark(writer);
        }
    }

    private void drop(int lines) {
        dropped.inc(lines);
        lost.add(lines);
    }

    /// Writes what is queued, at most 2 s long, and stops.
    @Override
    public void close() {
        closed = true;
        LockSupport.unpark(writer);
        try {
            writer.join(2_000);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt(); // whoever interrupts wants out now; the rest of the lines is lost
        }
    }

    private void write() {
        var batch = new StringBuilder(4096);
        while (true) {
            var entry = queue.relaxedPoll();
            if (entry != null) {
                consider(batch, entry);
                if (batch.length() >= BATCH_CHARS) {
                    flush(batch);
                }
                continue;
            }
            boolean busy = !batch.isEmpty();
            flush(batch);
            if (closed && queue.isEmpty()) {
                limitSecond(batch, true);
                sayLost(batch);
                flush(batch);
                return;
            }
            limitSecond(batch, false);
            sayLost(batch);
            if (!batch.isEmpty()) {
                flush(batch);
                continue;
            }
            if (busy && !closed) {
                LockSupport.parkNanos(this, COLLECT_NANOS); // nobody wakes us: the flag is down
                continue;
            }
            asleep = true;
            // Looked at again after the flag is up: an entry offered before that saw nobody to wake.
            if (queue.isEmpty() && !closed) {
                if (limitedUnsaid > 0 || lost.sum() > lostSaid) {
                    LockSupport.parkNanos(this, SECOND); // then it is said, even if nothing more comes
                } else {
                    LockSupport.park(this);
                }
            }
            asleep = false;
        }
    }

    private void consider(StringBuilder batch, AccessLogEntry entry) {
        var now = settings;
        if (format.format() != now.format()) {
            format = new AccessLogFormat(now.format());
        }
        if (!now.wants(entry)) {
            return;
        }
        limitSecond(batch, false);
        if (now.linesPerSecond() > 0 && linesThisSecond >= now.linesPerSecond()) {
            limited.inc();
            limitedUnsaid++;
            return;
        }
        linesThisSecond++;
        append(batch, entry);
    }

    /// Once the second is over: says what was left out in it and begins the next one.
    private void limitSecond(StringBuilder batch, boolean atOnce) {
        long now = nanoTime.getAsLong();
        if (now - secondBegan < SECOND && !atOnce) {
            return;
        }
        secondBegan = now;
        linesThisSecond = 0;
        if (limitedUnsaid > 0) {
            format.appendMissing(batch, Instant.now(), "over the limit of lines per second", limitedUnsaid);
            limitedUnsaid = 0;
        }
    }

    /// Says what was lost before now. What is lost while it is said is said the next time; a log that is broken is not
    /// told how much it lost.
    private void sayLost(StringBuilder batch) {
        long all = lost.sum();
        if (all > lostSaid && !broken) {
            format.appendMissing(batch, Instant.now(), "the log could not be written fast enough", all - lostSaid);
            lostSaid = all;
        }
    }

    private void append(StringBuilder batch, AccessLogEntry entry) {
        int start = batch.length();
        try {
            format.append(batch, entry);
            batchedLines++;
        } catch (RuntimeException | Error e) { // a bug costs one line, not the log
            batch.setLength(start);
            drop(1);
            log.error("access-log entry cannot be rendered entry={}", entry, e);
        }
    }

    private void flush(StringBuilder batch) {
        if (batch.isEmpty()) {
            return;
        }
        try {
            out.write(batch.toString().getBytes(StandardCharsets.UTF_8));
            out.flush();
            broken = false;
        } catch (IOException e) {
            drop(batchedLines);
            if (!broken) { // once per outage: the reason does not change while it lasts
                log.warn("access log cannot be written, lines are lost until it can", e);
                broken = true;
            }
        }
        batchedLines = 0;
        batch.setLength(0);
        if (batch.capacity() > 4 * BATCH_CHARS) {
            batch.trimToSize();
        }
    }
}
