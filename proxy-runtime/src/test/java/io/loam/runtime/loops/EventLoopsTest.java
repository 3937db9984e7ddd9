package io.loam.runtime.loops;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

class EventLoopsTest {
    private static final int SCHED_OTHER = 0;
    private static final int SCHED_BATCH = 3;

    /// Of /proc/thread-self/stat, counted behind the name in parentheses (proc_pid_stat(5)).
    private static final int POLICY_FIELD = 41 - 3;

    /// A third of the CPU of small requests hangs on it.
    @Test
    void aWorkerThatIsWokenInterruptsNobody() throws Exception {
        try (var loops = new EventLoops(2)) {
            Callable<Integer> policy = EventLoopsTest::policyOfThisThread;
            for (var worker : loops.workers()) {
                assertThat(worker.submit(policy).get(10, TimeUnit.SECONDS)).isEqualTo(SCHED_BATCH);
            }
            assertThat(loops.control().submit(policy).get(10, TimeUnit.SECONDS)).isEqualTo(SCHED_OTHER);
        }
    }

    private static int policyOfThisThread() throws Exception {
        var stat = Files.readString(Path.of("/proc/thread-self/stat"));
        return Integer.parseInt(stat.substring(stat.lastIndexOf(')') + 2).split(" ")[POLICY_FIELD]);
    }
}
