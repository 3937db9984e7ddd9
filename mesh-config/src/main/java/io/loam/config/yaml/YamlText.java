package io.loam.config.yaml;

import io.loam.config.problem.SourcePosition;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.api.lowlevel.Compose;
import org.snakeyaml.engine.v2.api.lowlevel.Parse;
import org.snakeyaml.engine.v2.events.CollectionEndEvent;
import org.snakeyaml.engine.v2.events.CollectionStartEvent;
import org.snakeyaml.engine.v2.exceptions.Mark;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.ReaderException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/// YAML text to documents.
///
/// The text is cut at its document markers before anything is parsed, so that a document with broken syntax takes no
/// other with it. That is safe: a line that starts with `---` or `...` is a marker even inside a block scalar
/// (YAML 1.2.2, 9.1.2 and rule c-forbidden).
public final class YamlText {
    /// Far more than the 1.5 MiB etcd takes for an object; `kind: List` may hold many.
    private static final int MOST_CODE_POINTS = 32 << 20;
    /// The deepest field of the kinds read here lies at 14. The parser recurses per level.
    private static final int DEEPEST = 100;
    /// Aliases may multiply what is written by this much ("billion laughs"), small documents by more.
    private static final int MOST_EXPANSION = 10;

    private static final long FREE_EXPANSION = 10_000;
    private static final int LONGEST_REASON = 300;
    private static final Pattern MARKER = Pattern.compile("^(?:---|\\.\\.\\.)(?=[ \\t\\r\\n]|\\z)", Pattern.MULTILINE);
    private static final Pattern ONLY_DIRECTIVES = Pattern.compile("(?:(?:[ \\t]*(?:#.*)?|%.*)(?:\\r?\\n|\\z))*");

    private YamlText() {}

    /// @return the documents that say anything; those of comments only are left out
    public static List<YamlDocument> documents(String text, Path file) {
        return documents(text, new Places(file, 0));
    }

    /// @param places of a text that begins somewhere inside a file
    static List<YamlDocument> documents(String text, Places places) {
        var file = places.file();
        var content = text.startsWith("\uFEFF") ? text.substring(1) : text;
        var documents = new ArrayList<YamlDocument>();
        var markers = MARKER.matcher(content);
        int start = 0;
        int startLine = 0;
        int countedTo = 0;
        int line = 0;
        while (markers.find()) {
            line += lines(content, countedTo, markers.start());
            countedTo = markers.start();
            var before = content.substring(start, markers.start());
            boolean directives =
                    before.indexOf('%') >= 0 && ONLY_DIRECTIVES.matcher(before).matches();
            if (directives && content.charAt(markers.start()) == '-') {
                continue; // `%YAML 1.2` belongs to the document behind the marker
            }
            document(before, new Places(file, places.lineOffset() + startLine)).ifPresent(documents::add);
            boolean ends = content.charAt(markers.start()) == '.';
            start = ends ? markers.end() : markers.start();
            startLine = line;
        }
        document(content.substring(start), new Places(file, places.lineOffset() + startLine))
                .ifPresent(documents::add);
        return documents;
    }

    private static int lines(String text, int from, int to) {
        int count = 0;
        for (int i = from; i < to; i++) {
            if (text.charAt(i) == '\n') {
                count++;
            }
        }
        return count;
    }

    private static Optional<YamlDocument> document(String text, Places places) {
        if (text.isBlank()) {
            return Optional.empty();
        }
        var log = new DocumentLog();
        try {
            var settings = LoadSettings.builder()
                    .setCodePointLimit(MOST_CODE_POINTS)
                    .setMaxAliasesForCollections(Integer.MAX_VALUE) // judged by what they amount to
                    .setAllowDuplicateKeys(true) // reported by YamlMapping, with path and place
                    .build();
            var tooDeep = firstTooDeep(settings, text);
            if (tooDeep != null) {
                var where = places.of(tooDeep);
                log.error(where, "", "nested deeper than " + DEEPEST, "at most " + DEEPEST + " levels", "");
                return Optional.of(new YamlDocument(where, null, log));
            }
            var root = new Compose(settings).composeString(text);
            if (root.isEmpty() || isNull(root.get())) {
                return Optional.empty();
            }
            return Optional.of(document(root.get(), places, log));
        } catch (YamlEngineException e) {
            var where = whereOf(e, text, places);
            log.error(where, "", sourceLine(text, where.line() - places.lineOffset()), "valid YAML", reasonOf(e));
            return Optional.of(new YamlDocument(where, null, log));
        }
    }

    static YamlDocument document(Node root, Places places, DocumentLog log) {
        var where = places.of(root);
        var line = new SourcePosition(where.file(), where.line(), 0);
        if (!(root instanceof MappingNode mapping)) {
            log.error(
                    line,
                    "",
                    root instanceof ScalarNode scalar ? DocumentLog.shown(scalar.getValue()) : "a list",
                    "a mapping with apiVersion, kind and metadata",
                    "");
            return new YamlDocument(line, null, log);
        }
        var sizes = new IdentityHashMap<Node, Long>();
        long expanded = expandedNodes(root, sizes);
        if (expanded > MOST_EXPANSION * (long) sizes.size() + FREE_EXPANSION) {
            log.error(
                    line,
                    "",
                    expanded == Long.MAX_VALUE
                            ? "an alias that contains itself"
                            : "aliases that make " + sizes.size() + " values " + expanded,
                    "aliases that repeat less",
                    "");
            return new YamlDocument(line, null, log);
        }
        return new YamlDocument(line, new YamlMapping("", mapping, places, log), log);
    }

    private static @Nullable Mark firstTooDeep(LoadSettings settings, String text) {
        int depth = 0;
        for (var event : new Parse(settings).parseString(text)) {
            if (event instanceof CollectionStartEvent && ++depth > DEEPEST) {
                return event.getStartMark().orElseThrow();
            } else if (event instanceof CollectionEndEvent) {
                depth--;
            }
        }
        return null;
    }

    /// How many nodes a reader meets that follows every alias; `Long.MAX_VALUE` = endless or too many to count.
    private static long expandedNodes(Node node, Map<Node, Long> sizes) {
        var known = sizes.get(node);
        if (known != null) {
            return known;
        }
        sizes.put(node, Long.MAX_VALUE); // the answer while it is being counted: meeting it again means a cycle
        long size = 1;
        switch (node) {
            case MappingNode mapping -> {
                for (var tuple : mapping.getValue()) {
                    size = add(size, expandedNodes(tuple.getKeyNode(), sizes));
                    size = add(size, expandedNodes(tuple.getValueNode(), sizes));
                }
            }
            case SequenceNode list -> {
                for (var item : list.getValue()) {
                    size = add(size, expandedNodes(item, sizes));
                }
            }
            default -> {}
        }
        sizes.put(node, size);
        return size;
    }

    private static long add(long a, long b) {
        return Long.MAX_VALUE - a < b ? Long.MAX_VALUE : a + b;
    }

    private static SourcePosition whereOf(YamlEngineException e, String text, Places places) {
        return switch (e) {
            case MarkedYamlEngineException marked ->
                marked.getProblemMark()
                        .or(marked::getContextMark)
                        .map(places::of)
                        .orElseGet(places::start);
            case ReaderException reader -> {
                int at = text.offsetByCodePoints(
                        0, Math.min(reader.getPosition(), text.codePointCount(0, text.length())));
                int column = at - text.lastIndexOf('\n', at - 1);
                yield new SourcePosition(places.file(), places.lineOffset() + lines(text, 0, at) + 1, column);
            }
            default -> places.start();
        };
    }

    private static String reasonOf(YamlEngineException e) {
        return switch (e) {
            case MarkedYamlEngineException marked -> DocumentLog.onOneLine(marked.getProblem(), LONGEST_REASON);
            case ReaderException reader -> "character U+%04X is not allowed in YAML".formatted(reader.getCodePoint());
            default -> DocumentLog.onOneLine(String.valueOf(e.getMessage()), LONGEST_REASON);
        };
    }

    private static String sourceLine(String text, int line) {
        return text.lines()
                .skip(line - 1L)
                .findFirst()
                .map(found -> found.isBlank() ? "end of the text" : DocumentLog.shown(found.strip()))
                .orElse("end of the text");
    }

    private static boolean isNull(Node node) {
        return node.getTag().equals(Tag.NULL);
    }
}
