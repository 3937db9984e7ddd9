package io.loam.agent.connections;

import io.netty.channel.EventLoop;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Publishes the byte counts of all relays of one event loop once a second, with one timer for all of them: a timer
/// each would be 10,000 wake-ups a second for 10,000 idle connections. No relay, no timer. Belongs to the loop.
public final class RelaySweep {
    private static final long PERIOD_SECONDS = 1;

    private final EventLoop loop;
    private @Nullable Entry first;
    private boolean scheduled;

    RelaySweep(EventLoop loop) {
        this.loop = loop;
    }

    /// @param publish called once a second until the entry is removed
    Entry add(Runnable publish) {
        var entry = new Entry(publish);
        entry.next = first;
        if (first != null) {
            first.previous = entry;
        }
        first = entry;
        scheduleUnlessScheduled();
        return entry;
    }

    private void scheduleUnlessScheduled() {
        if (!scheduled) {
            scheduled = true;
            var _ = loop.schedule(this::sweep, PERIOD_SECONDS, TimeUnit.SECONDS);
        }
    }

    private void sweep() {
        scheduled = false;
        if (first != null) {
            scheduleUnlessScheduled(); // first: a bug in one entry must not end the sweeps of all
        }
        for (var entry = first; entry != null; entry = entry.next) {
            entry.publish.run();
        }
    }

    /// One relay's place in the list.
    final class Entry {
        private final Runnable publish;
        private @Nullable Entry previous;
        private @Nullable Entry next;
        private boolean removed;

        private Entry(Runnable publish) {
            this.publish = publish;
        }

        void remove() {
            if (removed) {
                return;
            }
            removed = true;
            if (previous == null) {
                first = next;
            } else {
                previous.next = next;
            }
            if (next != null) {
                next.previous = previous;
            }
        }
    }
}
