package io.loam.lab.bench.topology;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.util.List;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

final class ProcessUsageTest {
    /// proc(5): fields 14 and 15; the name may hold spaces and parentheses.
    @Test
    void addsUserAndSystemTime() {
        assertThat(ProcessUsage.cpuSeconds("42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 1250 350 7 8 20 0 1 0 99 0 0"))
                .isEqualTo(16.0);
    }

    @Test
    void readsWhenAProcessStarted() {
        assertThat(ProcessUsage.startSeconds(
                        "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 1250 350 7 8 20 0 1 0 9950 0 0"))
                .isEqualTo(99.5);
    }

    @Test
    void readsHowOldAProcessIs() throws IOException {
        var age = ProcessUsage.ageSeconds(ProcessHandle.current().pid());

        assertThat(age).isCloseTo(ManagementFactory.getRuntimeMXBean().getUptime() / 1e3, Offset.offset(2.0));
    }

    @Test
    void readsResidentMemory() {
        assertThat(ProcessUsage.residentBytes("Name:\tx\nVmHWM:\t   9 kB\nVmRSS:\t    2048 kB\n"))
                .isEqualTo(2 << 20);
    }

    @Test
    void readsARunningProcess() throws IOException {
        var usage = ProcessUsage.of(List.of(ProcessHandle.current().pid()));

        assertThat(usage.residentBytes()).isGreaterThan(10 << 20);
        assertThat(usage.cpuSeconds()).isPositive();
    }
}
