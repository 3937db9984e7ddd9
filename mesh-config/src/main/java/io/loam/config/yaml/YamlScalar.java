package io.loam.config.yaml;

import io.loam.config.problem.SourcePosition;

/// One value as it is written, with its place. Numbers and truth values are text too: what they mean is the reader's
/// business, and a number where a text is wanted loses nothing.
public final class YamlScalar {
    private final String path;
    private final String text;
    private final SourcePosition position;
    private final DocumentLog log;

    YamlScalar(String path, String text, SourcePosition position, DocumentLog log) {
        this.path = path;
        this.text = text;
        this.position = position;
        this.log = log;
    }

    public String text() {
        return text;
    }

    public String path() {
        return path;
    }

    public SourcePosition position() {
        return position;
    }

    /// Says that the value cannot be used, which rejects the document.
    public void reject(String expected) {
        reject(expected, "");
    }

    public void reject(String expected, String reason) {
        log.error(position, path, DocumentLog.shown(text), expected, reason);
    }

    /// Says that the value is not used as written.
    public void warn(String expected, String reason) {
        log.warning(position, path, DocumentLog.shown(text), expected, reason);
    }

    /// @return the number, or `fallback` after rejecting it
    public int integer(int fallback, int least, int most) {
        try {
            int value = Integer.parseInt(text);
            if (value >= least && value <= most) {
                return value;
            }
        } catch (NumberFormatException _) {
            // answered below, as a number out of range is
        }
        reject(
                most == Integer.MAX_VALUE
                        ? "a whole number, at least " + least
                        : "a whole number from " + least + " to " + most);
        return fallback;
    }
}
