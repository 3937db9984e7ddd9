package io.loam.runtime.config;

import java.util.ArrayList;
import java.util.List;

/// Collects what a record's constructor finds wrong, so that it refuses all of it at once.
final class Checks {
    private final List<String> problems = new ArrayList<>();

    /// @param expected what would fit, for people
    Checks require(boolean fits, String key, Object value, String expected) {
        if (!fits) {
            problems.add(key + ": " + value + " (expected: " + expected + ")");
        }
        return this;
    }

    Checks range(String key, int value, int least, int most) {
        return require(value >= least && value <= most, key, value, least + " to " + most);
    }

    /// @throws ConfigException with one line per problem
    void done() {
        if (!problems.isEmpty()) {
            throw new ConfigException(String.join("\n", problems));
        }
    }
}
