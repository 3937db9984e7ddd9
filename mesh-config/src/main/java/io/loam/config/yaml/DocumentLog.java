package io.loam.config.yaml;

import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.config.problem.SourcePosition;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// Collects what is wrong with one document, so that all of it is reported at once. One error rejects the document.
/// Used by one thread.
public final class DocumentLog {
    private static final int LONGEST_VALUE = 80;

    /// A set: a field that two readers look at is reported once.
    private final Set<Problem> problems = new LinkedHashSet<>();
    private String object = "";
    private boolean rejected;

    /// @param object `Kind namespace/name`, as far as it is known from here on
    public void about(String object) {
        this.object = object;
    }

    /// The document cannot be used.
    public void error(SourcePosition where, String field, String value, String expected, String reason) {
        rejected = true;
        add(Severity.ERROR, where, field, value, expected, reason);
    }

    /// The document is used, but not all of it.
    public void warning(SourcePosition where, String field, String value, String expected, String reason) {
        add(Severity.WARNING, where, field, value, expected, reason);
    }

    /// Right, but without effect.
    public void note(SourcePosition where, String field, String value, String reason) {
        add(Severity.NOTE, where, field, value, "", reason);
    }

    public boolean rejected() {
        return rejected;
    }

    /// In the order they were found. What was found before the name of the object was known bears it too.
    public List<Problem> problems() {
        return problems.stream()
                .map(problem -> problem.object().isEmpty() ? about(problem, object) : problem)
                .toList();
    }

    private static Problem about(Problem problem, String object) {
        return new Problem(
                problem.severity(),
                problem.where(),
                object,
                problem.field(),
                problem.value(),
                problem.expected(),
                problem.reason());
    }

    private void add(
            Severity severity, SourcePosition where, String field, String value, String expected, String reason) {
        problems.add(new Problem(severity, where, object, field, value, expected, reason));
    }

    /// A value for a message: on one line, not longer than fits, and never able to imitate other lines of a log.
    public static String shown(String value) {
        return value.isEmpty() ? "\"\"" : onOneLine(value, LONGEST_VALUE);
    }

    static String onOneLine(String value, int longest) {
        var text = new StringBuilder();
        for (int i = 0; i < value.length(); i++) {
            if (text.length() >= longest) {
                return text.append('…').toString();
            }
            char c = value.charAt(i);
            switch (c) {
                case '\n' -> text.append("\\n");
                case '\t' -> text.append("\\t");
                default -> {
                    if (Character.isISOControl(c)) {
                        text.append(String.format("\\u%04x", (int) c));
                    } else {
                        text.append(c);
                    }
                }
            }
        }
        return text.toString();
    }
}
