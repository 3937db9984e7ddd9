package io.loam.config.yaml;

import io.loam.config.problem.SourcePosition;
import org.jspecify.annotations.Nullable;

/// One document of a file.
///
/// @param where its first line with content
/// @param root null where it cannot be read; the log says why
public record YamlDocument(SourcePosition where, @Nullable YamlMapping root, DocumentLog log) {}
