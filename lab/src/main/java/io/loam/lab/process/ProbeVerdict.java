package io.loam.lab.process;

import io.loam.config.object.Probe;

/// What a row of attempts says about a container, by the thresholds of its probe. Not for several threads.
final class ProbeVerdict {
    enum Outcome {
        /// Not enough attempts in a row for either; whatever held before still holds.
        UNDECIDED,
        WELL,
        FAILED
    }

    private final Probe probe;
    private boolean lastWell;
    private int inRow;

    ProbeVerdict(Probe probe) {
        this.probe = probe;
    }

    Outcome attempt(boolean well) {
        inRow = well == lastWell ? inRow + 1 : 1;
        lastWell = well;
        if (inRow < (well ? probe.successThreshold() : probe.failureThreshold())) {
            return Outcome.UNDECIDED;
        }
        return well ? Outcome.WELL : Outcome.FAILED;
    }
}
