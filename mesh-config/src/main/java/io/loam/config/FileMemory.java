package io.loam.config;

import io.loam.config.yaml.YamlText;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// What files said when they were read last. It keeps their text and compares that: times and sizes of files cannot
/// tell a change that follows the reading within the resolution of a file system's clock. Confined to one thread.
public final class FileMemory {
    private final Map<Path, Known> known = new HashMap<>();
    private final Set<Path> read = new HashSet<>();

    private record Known(String text, List<DocumentReading> documents) {}

    List<DocumentReading> documents(Path file, String text) {
        read.add(file);
        @Nullable Known before = known.get(file);
        if (before != null && before.text.equals(text)) {
            return before.documents;
        }
        var documents = DocumentReading.of(YamlText.documents(text, file));
        known.put(file, new Known(text, documents));
        return documents;
    }

    /// Files that are gone, or that could not be read, take no memory.
    void forgetUnread() {
        known.keySet().retainAll(read);
        read.clear();
    }
}
