package io.loam.model.policy;

/// How a policy compares a name. User text never becomes a pattern.
public sealed interface StringMatch {
    /// @param value the subject, "" where there is none: only an empty {@link Exact} matches that
    boolean matches(String value);

    record Exact(String text) implements StringMatch {
        @Override
        public boolean matches(String value) {
            return value.equals(text);
        }
    }

    record Prefix(String text) implements StringMatch {
        @Override
        public boolean matches(String value) {
            return !value.isEmpty() && value.startsWith(text);
        }
    }

    record Suffix(String text) implements StringMatch {
        @Override
        public boolean matches(String value) {
            return !value.isEmpty() && value.endsWith(text);
        }
    }

    /// Any non-empty value.
    record Presence() implements StringMatch {
        @Override
        public boolean matches(String value) {
            return !value.isEmpty();
        }
    }
}
