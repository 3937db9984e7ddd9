package io.loam.runtime.accesslog;

import io.loam.runtime.config.LogConfig;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.locks.LockSupport;
import org.jctools.queues.atomic.MpscAtomicArrayQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The access log. Event loops hand over entries and never wait: when the queue is full (a blocked pipe, a full disk)
/// the entry is dropped and counted.
public final class AccessLog implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(AccessLog.class);

    /// Entries that may wait; what ztunnel keeps too.
    private static final int QUEUE_ENTRIES = 16_384;

    private static final int BATCH_CHARS = 64 * 1024;

    /// While connections end one after another, lines are collected this long: waking the writer for each would cost
    /// the event loop a system call and the machine two switches per connection.
    private static final long COLLECT_NANOS = 5_000_000;

    private final MpscAtomicArrayQueue<AccessLogEntry> queue = new MpscAtomicArrayQueue<>(QUEUE_ENTRIES);
    private final AccessLogFormat format;
    private final OutputStream out;
    private final Counter dropped;
    private final Thread writer;
    private volatile boolean asleep;
    private volatile boolean closed;
    private boolean broken;

    /// In the batch that is not written yet.
    private int batchedLines;

    /// @param out flushed after each batch; owned by the caller
    public AccessLog(LogConfig.Format format, OutputStream out, PrometheusRegistry registry) {
        this.format = new AccessLogFormat(format);
        this.out = out;
        dropped = Counter.builder()
                .name("loam_access_log_dropped")
                .help("Access-log lines dropped because the log could not be written fast enough")
                .register(registry);
        writer = Thread.ofPlatform().daemon().name("loam-access-log").start(this::write);
    }

    /// Any thread; never blocks.
    public void log(AccessLogEntry entry) {
        if (!queue.offer(entry)) {
            dropped.inc();
        } else if (asleep) {
            LockSupport.unpark(writer);
        }
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
                append(batch, entry);
                if (batch.length() >= BATCH_CHARS) {
                    flush(batch);
                }
                continue;
            }
            boolean busy = !batch.isEmpty();
            flush(batch);
            if (closed && queue.isEmpty()) {
                return;
            }
            if (busy && !closed) {
                LockSupport.parkNanos(this, COLLECT_NANOS); // nobody wakes us: the flag is down
                continue;
            }
            asleep = true;
            // Looked at again after the flag is up: an entry offered before that saw nobody to wake.
            if (queue.isEmpty() && !closed) {
                LockSupport.park(this);
            }
            asleep = false;
        }
    }

    private void append(StringBuilder batch, AccessLogEntry entry) {
        int start = batch.length();
        try {
            format.append(batch, entry);
            batchedLines++;
        } catch (RuntimeException e) { // a bug costs one line, not the log
            batch.setLength(start);
            dropped.inc();
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
            dropped.inc(batchedLines);
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
