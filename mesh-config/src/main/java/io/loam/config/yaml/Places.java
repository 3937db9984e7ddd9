package io.loam.config.yaml;

import io.loam.config.problem.SourcePosition;
import java.nio.file.Path;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.nodes.Node;

/// Translates the parser's marks, which count within one document, to places in the file.
///
/// @param lineOffset lines of the file before the document
record Places(Path file, int lineOffset) {
    SourcePosition of(Node node) {
        return node.getStartMark().map(this::of).orElseGet(this::start);
    }

    SourcePosition of(Mark mark) {
        return new SourcePosition(file, lineOffset + mark.getLine() + 1, mark.getColumn() + 1);
    }

    SourcePosition start() {
        return new SourcePosition(file, lineOffset + 1, 1);
    }
}
