package io.loam.config.problem;

import java.nio.file.Path;

/// A place in a file.
///
/// @param file as the caller named it
/// @param line from 1; 0 stands for the file as a whole
/// @param column from 1; 0 where only the line matters
public record SourcePosition(Path file, int line, int column) {
    public static SourcePosition wholeFile(Path file) {
        return new SourcePosition(file, 0, 0);
    }

    /// `file:line`, the form editors and terminals jump to.
    @Override
    public String toString() {
        return line == 0 ? file.toString() : file + ":" + line;
    }

    /// `file:line:column`, for syntax errors, where the column is what helps.
    public String withColumn() {
        return line == 0 || column == 0 ? toString() : file + ":" + line + ":" + column;
    }
}
