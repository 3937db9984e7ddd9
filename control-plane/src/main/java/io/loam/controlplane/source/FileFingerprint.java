package io.loam.controlplane.source;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileVisitOption;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// All files and directories below the watched paths, with what tells that one of them has changed. Two of equal
/// content are equal.
record FileFingerprint(Map<Path, Entry> entries) {
    private static final Logger LOG = LoggerFactory.getLogger(FileFingerprint.class);

    /// Directories deeper than this are a loop of links.
    private static final int MAX_DEPTH = 16;

    /// @param key the inode, which tells a replaced file of the same size and second
    record Entry(
            boolean directory,
            long size,
            @Nullable FileTime modified,
            @Nullable Object key) {}

    static FileFingerprint of(List<Path> paths) {
        var entries = new LinkedHashMap<Path, Entry>();
        for (var path : paths) {
            try (var files = Files.walk(path, MAX_DEPTH, FileVisitOption.FOLLOW_LINKS)) {
                files.sorted().forEach(file -> entries.put(file, entry(file)));
            } catch (IOException | UncheckedIOException e) {
                LOG.debug("source={} cannot be walked now: {}", path, e.toString()); // the reader reports it
            }
        }
        return new FileFingerprint(entries);
    }

    /// Where something may appear, change or vanish: each directory below the paths, and each path's parent (an
    /// editor replaces files, a ConfigMap mount switches links).
    Set<Path> directoriesToWatch(List<Path> paths) {
        var directories = new LinkedHashSet<Path>();
        for (var path : paths) {
            var parent = path.toAbsolutePath().getParent();
            if (parent != null) {
                directories.add(parent);
            }
        }
        entries.forEach((path, entry) -> {
            if (entry.directory()) {
                directories.add(path.toAbsolutePath());
            }
        });
        return directories;
    }

    private static Entry entry(Path file) {
        try {
            var attributes = Files.readAttributes(file, BasicFileAttributes.class);
            return attributes.isDirectory()
                    ? new Entry(true, 0, null, attributes.fileKey())
                    : new Entry(false, attributes.size(), attributes.lastModifiedTime(), attributes.fileKey());
        } catch (IOException _) { // gone since it was listed, or a link to nothing: a state like any other
            return new Entry(false, -1, null, null);
        }
    }
}
