package io.loam.agent.connections;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.DefaultEventLoop;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.ScheduledFuture;
import java.util.ArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

class RelaySweepTest {
    private static final int RELAYS = 10_000;

    @Test
    void publishesEachRelayOnceASecondUntilItEnds() {
        var time = new EmbeddedChannel();
        time.freezeTime();
        var sweep = new RelaySweep(time.eventLoop());
        var early = new AtomicInteger();
        var late = new AtomicInteger();
        var ended = sweep.add(early::incrementAndGet);
        var running = sweep.add(late::incrementAndGet);

        second(time);
        ended.remove();
        ended.remove(); // harmless
        second(time);

        assertThat(early).hasValue(1);
        assertThat(late).hasValue(2);

        running.remove();
        second(time);
        assertThat(late).hasValue(2);
        assertThat(time.runScheduledPendingTasks())
                .as("nanoseconds to the next timer; -1 is none")
                .isEqualTo(-1);
    }

    @Test
    void relaysMayEndInAnyOrderWhileOthersRun() {
        var time = new EmbeddedChannel();
        time.freezeTime();
        var sweep = new RelaySweep(time.eventLoop());
        var published = new ArrayList<String>();
        var first = sweep.add(() -> published.add("first"));
        var middle = sweep.add(() -> published.add("middle"));
        var last = sweep.add(() -> published.add("last"));

        middle.remove();
        second(time);
        assertThat(published).containsExactlyInAnyOrder("first", "last");

        last.remove();
        first.remove();
        sweep.add(() -> published.add("new"));
        published.clear();
        second(time);
        assertThat(published).containsExactly("new");
    }

    /// The reason for this class: ten thousand idle connections are not ten thousand timers.
    @Test
    void allRelaysOfALoopShareOneTimer() {
        var timers = new AtomicInteger();
        var loop = new DefaultEventLoop() {
            @Override
            public ScheduledFuture<?> schedule(Runnable command, long delay, TimeUnit unit) {
                timers.incrementAndGet();
                return super.schedule(command, delay, unit);
            }
        };
        try {
            var sweep = new RelaySweep(loop);
            for (int i = 0; i < RELAYS; i++) {
                sweep.add(() -> {});
            }
            assertThat(timers).hasValue(1);
        } finally {
            var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }

    private static void second(EmbeddedChannel time) {
        time.advanceTimeBy(1, TimeUnit.SECONDS);
        time.runScheduledPendingTasks();
    }
}
