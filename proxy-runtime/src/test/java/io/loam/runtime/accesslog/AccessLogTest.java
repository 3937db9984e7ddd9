package io.loam.runtime.accesslog;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.runtime.config.LogConfig;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// Hazard P16: a log that cannot be written drops and counts, and whoever logs never waits.
class AccessLogTest {
    private static final int QUEUE = 16_384;

    private final PrometheusRegistry registry = new PrometheusRegistry();

    @Test
    void writesEveryLineBeforeItCloses() {
        var out = new ByteArrayOutputStream();
        var log = new AccessLog(LogConfig.Format.PLAIN, out, registry);

        for (int i = 0; i < 5_000; i++) {
            log.log(Samples.tunnelled());
        }
        log.close();

        assertThat(out.toString(StandardCharsets.UTF_8).lines()).hasSize(5_000);
        assertThat(dropped()).isZero();
    }

    @Test
    void aBlockedPipeCostsLinesAndNoTime() throws Exception {
        var blocked = new CountDownLatch(1);
        var open = new CountDownLatch(1);
        var out = new ByteArrayOutputStream();
        var log = new AccessLog(
                LogConfig.Format.PLAIN,
                new OutputStream() {
                    @Override
                    public void write(int b) {
                        throw new AssertionError("written in batches");
                    }

                    @Override
                    public void write(byte[] bytes, int offset, int length) throws IOException {
                        blocked.countDown();
                        try {
                            open.await();
                        } catch (InterruptedException e) {
                            throw new IOException(e);
                        }
                        out.write(bytes, offset, length);
                    }
                },
                registry);
        log.log(Samples.tunnelled());
        assertThat(blocked.await(10, TimeUnit.SECONDS)).isTrue();

        long began = System.nanoTime();
        for (int i = 0; i < QUEUE + 1_000; i++) {
            log.log(Samples.tunnelled());
        }
        var took = Duration.ofNanos(System.nanoTime() - began);
        open.countDown();
        log.close();

        assertThat(dropped()).isEqualTo(1_000);
        assertThat(out.toString(StandardCharsets.UTF_8).lines()).hasSize(1 + QUEUE);
        System.out.printf(
                "hazard P16: %d lines against a blocked pipe took the caller %d us in all, 1000 dropped and counted%n",
                QUEUE + 1_000, took.toNanos() / 1_000);
        assertThat(took).isLessThan(Duration.ofSeconds(2));
    }

    @Test
    void aFullDiskIsCountedByLineAndTheLogRecovers() {
        var out = new ByteArrayOutputStream();
        var full = new boolean[] {true};
        var log = new AccessLog(
                LogConfig.Format.PLAIN,
                new OutputStream() {
                    @Override
                    public void write(int b) {
                        out.write(b);
                    }

                    @Override
                    public void write(byte[] bytes, int offset, int length) throws IOException {
                        synchronized (full) {
                            if (full[0]) {
                                throw new IOException("No space left on device");
                            }
                        }
                        out.write(bytes, offset, length);
                    }
                },
                registry);

        for (int i = 0; i < 10; i++) {
            log.log(Samples.tunnelled());
        }
        long deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (dropped() < 10 && System.nanoTime() < deadline) {
            Thread.onSpinWait();
        }
        synchronized (full) {
            full[0] = false;
        }
        log.log(Samples.plaintext());
        log.close();

        assertThat(dropped()).isEqualTo(10);
        assertThat(out.toString(StandardCharsets.UTF_8).lines()).hasSize(1);
    }

    private double dropped() {
        return ((CounterSnapshot)
                        registry.scrape("loam_access_log_dropped"::equals).get(0))
                .getDataPoints()
                .getFirst()
                .getValue();
    }
}
