package io.loam.model.explain;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.random.RandomGenerator;

/// Runs a decision for every random number that it could draw, and says how likely each outcome is.
final class Draws {
    /// Larger ranges are looked at in as many evenly spaced places: a service with weights in the thousands.
    private static final int MOST_OF_ONE = 1_024;

    private static final int MOST_OF_ALL = 8_192;

    private Draws() {}

    /// @return the outcomes with their shares; these add up to 1 unless there are more draws than are looked at
    static <T> Map<T, Double> outcomes(Function<RandomGenerator, T> decision) {
        var shares = new LinkedHashMap<T, Double>();
        var script = new Script();
        for (int run = 0; run < MOST_OF_ALL; run++) {
            script.drawn = 0;
            var outcome = decision.apply(script);
            double share = 1;
            for (var draw : script.draws.subList(0, script.drawn)) {
                share /= draw.places;
            }
            shares.merge(outcome, share, Double::sum);
            if (!script.next()) {
                return shares;
            }
        }
        return shares;
    }

    /// The next draws, one after the other, like an odometer.
    private static final class Script implements RandomGenerator {
        private final List<Draw> draws = new ArrayList<>();
        private int drawn;

        private static final class Draw {
            final int places;
            int place;

            Draw(long bound) {
                this.places = (int) Math.min(bound, MOST_OF_ONE);
            }
        }

        /// @return whether there is a combination that was not tried
        boolean next() {
            draws.subList(drawn, draws.size()).clear();
            while (!draws.isEmpty()) {
                var last = draws.getLast();
                if (++last.place < last.places) {
                    return true;
                }
                draws.removeLast();
            }
            return false;
        }

        @Override
        public long nextLong(long bound) {
            if (drawn == draws.size()) {
                draws.add(new Draw(bound));
            }
            var draw = draws.get(drawn++);
            return bound <= MOST_OF_ONE ? draw.place : draw.place * (bound / MOST_OF_ONE);
        }

        @Override
        public int nextInt(int bound) {
            return (int) nextLong(bound);
        }

        /// All numbers there are cannot be tried: a decision has to say which it can use.
        @Override
        public long nextLong() {
            throw new UnsupportedOperationException("a decision draws from all numbers (expected: nextLong(bound))");
        }
    }
}
