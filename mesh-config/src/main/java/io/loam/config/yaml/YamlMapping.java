package io.loam.config.yaml;

import io.loam.config.problem.SourcePosition;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.nodes.Tag;

/// A mapping, read field by field. Every getter says in the log what is wrong and then answers its fallback, so that
/// one reading finds all problems. {@link #finish} reports the fields nobody asked for.
///
/// A field that is written as null counts as not written, as in Kubernetes.
public final class YamlMapping {
    private static final String MERGE_KEY = "<<";

    private final String path;
    private final MappingNode node;
    private final SourcePosition position;
    private final Places places;
    private final DocumentLog log;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, YamlMapping> children = new HashMap<>();
    private final Set<String> known = new LinkedHashSet<>();

    private record Entry(SourcePosition keyPosition, Node value) {}

    YamlMapping(String path, MappingNode node, Places places, DocumentLog log) {
        this.path = path;
        this.node = node;
        this.position = places.of(node);
        this.places = places;
        this.log = log;
        addEntries(node, new ArrayList<>());
    }

    private void addEntries(MappingNode node, List<MappingNode> merging) {
        var merged = new ArrayList<Node>();
        var here = new LinkedHashSet<String>();
        for (var tuple : node.getValue()) {
            if (!(tuple.getKeyNode() instanceof ScalarNode key)) {
                log.error(places.of(tuple.getKeyNode()), path, "a collection as key", "a text as key", "");
                continue;
            }
            var name = key.getValue();
            if (name.equals(MERGE_KEY) && key.isPlain()) {
                merged.add(tuple.getValueNode());
            } else if (!here.add(name)) {
                log.error(places.of(key), pathOf(name), "written twice", "once", "");
            } else {
                entries.putIfAbsent(name, new Entry(places.of(key), tuple.getValueNode()));
            }
        }
        merging.add(node);
        for (var source : merged) {
            merge(source, merging);
        }
        merging.removeLast();
    }

    /// `<<`: the fields of another mapping, where this one does not have them.
    private void merge(Node source, List<MappingNode> merging) {
        if (source instanceof MappingNode mapping && !merging.contains(mapping)) {
            addEntries(mapping, merging);
        } else if (source instanceof SequenceNode list
                && list.getValue().stream().allMatch(MappingNode.class::isInstance)) {
            list.getValue().forEach(item -> merge(item, merging));
        } else {
            log.error(places.of(source), pathOf(MERGE_KEY), kindOf(source), "a mapping, or a list of mappings", "");
        }
    }

    public String path() {
        return path;
    }

    public SourcePosition position() {
        return position;
    }

    /// Where a field stands, or this mapping where it is not written.
    public SourcePosition position(String name) {
        var entry = entries.get(name);
        return entry == null ? position : entry.keyPosition();
    }

    public String pathOf(String name) {
        for (int i = 0; i < name.length(); i++) {
            char c = name.charAt(i);
            if (c == '.' || c == '/' || c == '[' || c <= ' ') {
                return path + "[\"" + DocumentLog.shown(name) + "\"]";
            }
        }
        return path.isEmpty() ? name : path + "." + name;
    }

    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    /// Whether the field is written, and not as null.
    public boolean has(String name) {
        known.add(name);
        return value(name) != null;
    }

    /// @return null where the field is not written or no single value
    public @Nullable YamlScalar scalar(String name) {
        var node = value(name);
        return node == null ? null : asScalar(node, pathOf(name));
    }

    public String text(String name, String fallback) {
        var scalar = scalar(name);
        return scalar == null ? fallback : scalar.text();
    }

    /// @param expected for the message when it is missing or empty
    /// @return "" after reporting that it is missing
    public String requiredText(String name, String expected) {
        var text = text(name, "");
        if (text.isEmpty()) {
            missing(name, expected);
        }
        return text;
    }

    public int integer(String name, int fallback, int least, int most) {
        var scalar = scalar(name);
        return scalar == null ? fallback : scalar.integer(fallback, least, most);
    }

    public boolean flag(String name, boolean fallback) {
        return oneOf(name, fallback, new TreeMap<>(Map.of("true", true, "false", false)));
    }

    /// @param choices in the order messages name them
    public <T> T oneOf(String name, T fallback, Map<String, T> choices) {
        var scalar = scalar(name);
        if (scalar == null) {
            return fallback;
        }
        var choice = choices.get(scalar.text());
        if (choice == null) {
            scalar.reject(Words.or(List.copyOf(choices.keySet())));
            return fallback;
        }
        return choice;
    }

    /// @return null where the field is not written or no mapping
    public @Nullable YamlMapping mapping(String name) {
        var node = value(name);
        return node == null ? null : asMapping(node, pathOf(name));
    }

    /// A text that is a YAML document of its own, as ConfigMaps hold them. Its fields stand where they are
    /// written if the text is a block (`|`).
    ///
    /// @return null where the field is not written, is empty, or cannot be read, which rejects this document
    public @Nullable YamlMapping embedded(String name) {
        var scalar = scalar(name);
        if (scalar == null) {
            return null;
        }
        int before = scalar.position().line() - (scalar.text().indexOf('\n') < 0 ? 1 : 0);
        for (var document :
                YamlText.documents(scalar.text(), new Places(scalar.position().file(), before))) {
            document.log()
                    .problems()
                    .forEach(problem -> log.error(
                            problem.where(), scalar.path(), problem.value(), problem.expected(), problem.reason()));
            var root = document.root();
            if (root != null) {
                return new YamlMapping(scalar.path(), root.node, root.places, log);
            }
        }
        return null;
    }

    /// Whether somebody has asked for the field.
    public boolean isRead(String name) {
        return known.contains(name);
    }

    /// A list of mappings; empty where the field is not written.
    public List<YamlMapping> mappings(String name) {
        var result = new ArrayList<YamlMapping>();
        var items = list(name);
        for (int i = 0; i < items.size(); i++) {
            var mapping = asMapping(items.get(i), pathOf(name) + "[" + i + "]");
            if (mapping != null) {
                result.add(mapping);
            }
        }
        return result;
    }

    /// A list of single values; empty where the field is not written.
    public List<YamlScalar> scalars(String name) {
        var result = new ArrayList<YamlScalar>();
        var items = list(name);
        for (int i = 0; i < items.size(); i++) {
            var scalar = asScalar(items.get(i), pathOf(name) + "[" + i + "]");
            if (scalar != null) {
                result.add(scalar);
            }
        }
        return result;
    }

    public List<String> texts(String name) {
        return scalars(name).stream().map(YamlScalar::text).toList();
    }

    /// A mapping of names to single values, in the order written; empty where the field is not written.
    public Map<String, YamlScalar> scalarMap(String name) {
        var mapping = mapping(name);
        if (mapping == null) {
            return Map.of();
        }
        var result = new LinkedHashMap<String, YamlScalar>();
        for (var key : mapping.names()) {
            var scalar = mapping.scalar(key);
            if (scalar != null) {
                result.put(key, scalar);
            } else if (isNull(mapping.entry(key).value())) { // a label without value is an empty one
                result.put(key, new YamlScalar(mapping.pathOf(key), "", mapping.position(key), log));
            }
        }
        return result;
    }

    /// The items of a list as documents of their own: what is wrong with one rejects no other.
    public List<YamlDocument> documents(String name) {
        return list(name).stream()
                .map(item -> YamlText.document(item, places, new DocumentLog()))
                .toList();
    }

    /// Where the items of a list start; empty where the field is no list.
    public List<SourcePosition> itemPositions(String name) {
        var entry = entries.get(name);
        return entry != null && entry.value() instanceof SequenceNode list
                ? list.getValue().stream().map(places::of).toList()
                : List.of();
    }

    public boolean isEmptyList(String name) {
        var entry = entries.get(name);
        return entry != null
                && entry.value() instanceof SequenceNode list
                && list.getValue().isEmpty();
    }

    public boolean isMapping(String name) {
        return value(name) instanceof MappingNode;
    }

    public boolean isScalar(String name) {
        return value(name) instanceof ScalarNode;
    }

    /// Says that this mapping as a whole cannot be used.
    public void refuse(String value, String expected) {
        log.error(position, path, value, expected, "");
    }

    public void missing(String name, String expected) {
        log.error(position, pathOf(name), "missing", expected, "");
    }

    public void reject(String name, String value, String expected, String reason) {
        log.error(position(name), pathOf(name), value, expected, reason);
    }

    public void warn(String name, String value, String expected, String reason) {
        log.warning(position(name), pathOf(name), value, expected, reason);
    }

    /// Fields that are right and say nothing about the mesh or about processes.
    public void ignore(String... names) {
        known.addAll(List.of(names));
    }

    /// Fields that are right, but whose effect is missing here.
    public void withoutEffect(String reason, String... names) {
        for (var name : names) {
            if (has(name)) {
                log.note(position(name), pathOf(name), describe(name), reason);
            }
        }
    }

    /// Reports the fields nobody asked for, with what was probably meant.
    public void finish() {
        for (var name : entries.keySet()) {
            if (!known.contains(name)) {
                log.warning(position(name), pathOf(name), "unknown field", Words.nearestOrAll(name, known), "ignored");
            }
        }
    }

    /// The value of a field for messages.
    public String describe(String name) {
        var node = value(name);
        return node == null ? "missing" : kindOf(node);
    }

    private Entry entry(String name) {
        return Objects.requireNonNull(entries.get(name), name);
    }

    private @Nullable Node value(String name) {
        known.add(name);
        var entry = entries.get(name);
        return entry == null || isNull(entry.value()) ? null : entry.value();
    }

    private List<Node> list(String name) {
        var node = value(name);
        if (node == null) {
            return List.of();
        }
        if (node instanceof SequenceNode list) {
            return list.getValue();
        }
        log.error(places.of(node), pathOf(name), kindOf(node), "a list", "");
        return List.of();
    }

    private @Nullable YamlMapping asMapping(Node node, String itsPath) {
        if (node instanceof MappingNode mapping) {
            return children.computeIfAbsent(itsPath, p -> new YamlMapping(p, mapping, places, log));
        }
        log.error(places.of(node), itsPath, kindOf(node), "a mapping", "");
        return null;
    }

    private @Nullable YamlScalar asScalar(Node node, String itsPath) {
        if (node instanceof ScalarNode scalar) {
            return new YamlScalar(itsPath, isNull(scalar) ? "" : scalar.getValue(), places.of(node), log);
        }
        log.error(places.of(node), itsPath, kindOf(node), "a single value", "");
        return null;
    }

    private static boolean isNull(Node node) {
        return node.getTag().equals(Tag.NULL);
    }

    private static String kindOf(Node node) {
        return switch (node) {
            case ScalarNode scalar -> isNull(scalar) ? "null" : DocumentLog.shown(scalar.getValue());
            case SequenceNode list when list.getValue().isEmpty() -> "[]";
            case SequenceNode list when list.getValue().size() == 1 -> "a list of 1";
            case SequenceNode list -> "a list of " + list.getValue().size();
            case MappingNode mapping when mapping.getValue().isEmpty() -> "{}";
            default -> "a mapping";
        };
    }
}
