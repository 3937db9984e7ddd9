package io.loam.controlplane.push;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

@Timeout(60)
class CoalescerTest {
    /// A bug in one state of the mesh must not be the last thing the control plane did.
    @Test
    void theWorkerGetsTheNextValueWhateverItThrew() throws Exception {
        var seen = new LinkedBlockingQueue<String>();
        try (var coalescer =
                Coalescer.<String>start("test", Duration.ofMillis(1), Duration.ofMillis(1), System::nanoTime, value -> {
                    seen.add(value);
                    switch (value) {
                        case "exception" -> throw new IllegalStateException("a bug");
                        case "error" -> throw new StackOverflowError("a deeper one");
                        default -> {}
                    }
                })) {
            for (var value : new String[] {"exception", "error", "good"}) {
                coalescer.offer(value);
                assertThat(seen.poll(30, TimeUnit.SECONDS)).isEqualTo(value);
            }
        }
    }
}
