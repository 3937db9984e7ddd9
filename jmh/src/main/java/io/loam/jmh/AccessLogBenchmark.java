package io.loam.jmh;

import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import io.loam.runtime.accesslog.AccessLog;
import io.loam.runtime.accesslog.AccessLogEntry;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.accesslog.AccessLogEntry.Kind;
import io.loam.runtime.config.LogConfig.Format;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.Instant;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/// Question: what does an event loop pay to hand over the log entry of a finished connection?
///
/// Expected: at most 200 ns, and nothing allocated by the loop. The log's own thread formats the line meanwhile: its
/// bytes, 2 KiB at most for a line, are in the figure; its time is not, as long as there is a second processor.
@State(Scope.Benchmark)
public class AccessLogBenchmark {
    private static final Workload SOURCE = Meshes.workload(1, 1, Status.HEALTHY);
    private static final Workload DESTINATION = Meshes.workload(2, 0, Status.HEALTHY);

    /// Half of what the log's queue holds, so that none is dropped.
    private static final int BURST = 8_192;

    private final CountingStream lines = new CountingStream();
    private final AccessLog log = new AccessLog(Format.PLAIN, lines, new PrometheusRegistry());
    private final AccessLogEntry entry = new AccessLogEntry(
            Kind.COMPLETE,
            Instant.EPOCH,
            Direction.OUTBOUND,
            new InetSocketAddress(Meshes.podAddress(1), 40_000),
            SOURCE,
            SOURCE.identity(),
            new InetSocketAddress(Meshes.podAddress(2), 15008),
            "10.0.0.2:8080",
            Meshes.serviceKey(0).hostname(),
            DESTINATION,
            DESTINATION.identity(),
            1_000,
            100_000,
            Duration.ofMillis(20),
            null,
            null,
            null,
            null);
    private long offered;

    @Setup(Level.Invocation)
    public void waitForTheLog() {
        while (lines.written < offered) {
            Thread.onSpinWait();
        }
    }

    @TearDown
    public void close() {
        log.close();
    }

    @Benchmark
    @OperationsPerInvocation(BURST)
    public void offer() {
        for (int i = 0; i < BURST; i++) {
            log.log(entry);
        }
        offered += BURST;
    }

    /// Counts lines; the log writes from one thread.
    private static final class CountingStream extends OutputStream {
        private volatile long written;

        @Override
        public void write(int octet) {
            write(new byte[] {(byte) octet}, 0, 1);
        }

        @Override
        public void write(byte[] batch, int from, int length) {
            long sum = written;
            for (int i = from; i < from + length; i++) {
                if (batch[i] == '\n') {
                    sum++;
                }
            }
            written = sum;
        }
    }
}
