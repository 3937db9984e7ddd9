package io.loam.runtime.loops;

import io.loam.runtime.config.WatchdogConfig;

/// Decides what the lag of one event loop calls for. Pure: it is told the time and whether the loop has answered.
///
/// Time in which nobody looked does not count: a process that was stopped as a whole (SIGSTOP, a frozen virtual
/// machine) must not end for it when it goes on.
final class LoopLag {
    /// A longer time between two looks says that the one who looks was held up.
    private static final int HELD_UP_PERIODS = 10;

    private final WatchdogConfig config;
    private final long longestStepNanos;
    private long lookedNanos;
    private long lagNanos;
    private Step reached = Step.FINE;

    /// What is to be done, from harmless to drastic. Each is said once per stall, on the look that finds it.
    enum Step {
        FINE,
        LOG_STACK,
        NOT_READY,
        ABORT,
        /// The loop answered after it had been reported.
        RECOVERED
    }

    LoopLag(WatchdogConfig config, long nowNanos) {
        this.config = config;
        this.lookedNanos = nowNanos;
        longestStepNanos = config.period().multipliedBy(HELD_UP_PERIODS).toNanos();
    }

    /// @param answered whether the loop has run what it was given at the last look that returned with an answer
    Step look(long nowNanos, boolean answered) {
        long passed = Math.min(nowNanos - lookedNanos, longestStepNanos);
        lookedNanos = nowNanos;
        if (answered) {
            lagNanos = 0;
            var before = reached;
            reached = Step.FINE;
            return before == Step.FINE ? Step.FINE : Step.RECOVERED;
        }
        lagNanos += passed;
        var due = stepAt(lagNanos);
        if (due.compareTo(reached) <= 0) {
            return Step.FINE;
        }
        reached = due;
        return due;
    }

    private Step stepAt(long lag) {
        if (lag > config.abortAfter().toNanos()) {
            return Step.ABORT;
        }
        if (lag > config.notReadyAfter().toNanos()) {
            return Step.NOT_READY;
        }
        return lag > config.stackAfter().toNanos() ? Step.LOG_STACK : Step.FINE;
    }

    /// For how long the loop has not answered, as far as anybody looked.
    long lagNanos() {
        return lagNanos;
    }
}
