package io.loam.config.object;

import io.loam.config.problem.SourcePosition;
import java.util.Map;

/// Where an object was written, field by field.
///
/// The place is no part of what an object says: all origins are equal, so that two versions of an object compare equal
/// when only lines were inserted above them.
public final class Origin {
    private final SourcePosition document;
    private final Map<String, SourcePosition> fields;

    public Origin(SourcePosition document, Map<String, SourcePosition> fields) {
        this.document = document;
        this.fields = Map.copyOf(fields);
    }

    /// Where the document starts.
    public SourcePosition document() {
        return document;
    }

    /// Where a field stands; where it is not written itself, the closest field around it that is.
    ///
    /// @param path for example `spec.selector`
    public SourcePosition of(String path) {
        for (var p = path; ; ) {
            var found = fields.get(p);
            if (found != null) {
                return found;
            }
            int cut = Math.max(p.lastIndexOf('.'), p.lastIndexOf('['));
            if (cut <= 0) {
                return document;
            }
            p = p.substring(0, cut);
        }
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Origin;
    }

    @Override
    public int hashCode() {
        return 1;
    }

    @Override
    public String toString() {
        return document.toString();
    }
}
