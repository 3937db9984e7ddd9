package io.loam.config.problem;

/// Something wrong with what a user wrote: what, where, and what would be right.
///
/// @param object `Kind namespace/name` as far as it is known, otherwise ""
/// @param field path from the root of the document, for example `spec.ports[0].port`; "" for the whole document
/// @param value as it was written
/// @param expected what would be accepted; "" where nothing can be said
/// @param reason why, or what happens now; "" where the rest says it all
public record Problem(
        Severity severity,
        SourcePosition where,
        String object,
        String field,
        String value,
        String expected,
        String reason) {
    /// One line: `file:line: Kind namespace/name: field: value (expected: …); reason`.
    @Override
    public String toString() {
        var text = new StringBuilder(object.isEmpty() ? where.withColumn() : where.toString());
        for (var part : new String[] {object, field, value}) {
            if (!part.isEmpty()) {
                text.append(": ").append(part);
            }
        }
        if (!expected.isEmpty()) {
            text.append(" (expected: ").append(expected).append(')');
        }
        if (!reason.isEmpty()) {
            text.append("; ").append(reason);
        }
        return text.toString();
    }
}
