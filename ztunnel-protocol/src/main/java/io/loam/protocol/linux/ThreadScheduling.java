package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.io.IOException;
import java.lang.foreign.Arena;

/// When the kernel lets a thread run that was woken (sched(7)).
public final class ThreadScheduling {
    private ThreadScheduling() {}

    /// Has the calling thread wait, when it is woken, until whoever runs on its processor pauses or has used up its
    /// slice of a few milliseconds at most, instead of interrupting it (SCHED_BATCH). Its share of the processor
    /// stays what it was. Needs no privilege.
    public static void interruptNobody() throws IOException {
        try (var arena = Arena.ofConfined()) {
            Libc.schedSetscheduler(Libc.SCHED_BATCH, arena.allocateFrom(JAVA_INT, 0)); // no priority
        }
    }
}
