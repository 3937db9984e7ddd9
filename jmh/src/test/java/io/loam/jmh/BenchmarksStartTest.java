package io.loam.jmh;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/// A benchmark that is only compiled rots: each runs once, in this process and on small meshes.
final class BenchmarksStartTest {
    @Test
    void everyBenchmarkRuns() throws Exception {
        var options = new OptionsBuilder()
                .include("io\\.loam\\.jmh\\..*")
                .mode(Mode.SingleShotTime)
                .forks(0)
                .warmupIterations(0)
                .measurementIterations(1)
                .measurementBatchSize(3)
                .timeout(TimeValue.seconds(30))
                .timeUnit(TimeUnit.NANOSECONDS)
                .verbosity(VerboseMode.SILENT)
                .shouldFailOnError(true)
                .param("policies", "20")
                .param("endpoints", "3")
                .param("workloads", "100")
                .build();

        var results = new Runner(options).run();

        assertThat(results)
                .extracting(result -> result.getPrimaryResult().getScore())
                .hasSizeGreaterThan(10)
                .allMatch(nanos -> nanos > 0);
    }
}
