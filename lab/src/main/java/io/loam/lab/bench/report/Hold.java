package io.loam.lab.bench.report;

import java.util.OptionalDouble;

/// A number that loam has to hold.
///
/// @param figure what it is about
/// @param against the candidate it is compared with; empty: the figure itself counts
/// @param bound the highest, or where more is better the lowest
public record Hold(Figure figure, String against, double bound) {
    /// What became of it.
    public enum Verdict {
        YES,
        NO,
        /// The rounds of one side lie further apart than {@link Series#NOISY}.
        NOISY,
        /// No round of one side succeeded, or it was not measured.
        UNKNOWN
    }

    public static Hold ratio(Figure figure, String against, double bound) {
        return new Hold(figure, against, bound);
    }

    public static Hold absolute(Figure figure, double bound) {
        return new Hold(figure, "", bound);
    }

    public OptionalDouble reached(Results results) {
        return against.isEmpty() ? results.median("loam", figure) : results.ratio("loam", against, figure);
    }

    public Verdict verdict(Results results) {
        var reached = reached(results);
        if (reached.isEmpty()) {
            return Verdict.UNKNOWN;
        }
        boolean holds = figure.moreIsBetter() ? reached.getAsDouble() >= bound : reached.getAsDouble() <= bound;
        if (isNoisy(results, "loam") || isNoisy(results, against)) {
            return Verdict.NOISY;
        }
        return holds ? Verdict.YES : Verdict.NO;
    }

    private boolean isNoisy(Results results, String candidate) {
        return results.find(candidate, figure).map(Series::isNoisy).orElse(false);
    }

    public String text() {
        var sign = figure.moreIsBetter() ? "≥ " : "≤ ";
        return against.isEmpty()
                ? sign + Numbers.text(bound) + " " + figure.unit()
                : sign + Numbers.text(bound) + "× " + against;
    }
}
