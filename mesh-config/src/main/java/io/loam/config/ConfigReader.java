package io.loam.config;

import io.loam.config.ReadResult.Rejected;
import io.loam.config.object.MeshObject;
import io.loam.config.object.ObjectKey;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import io.loam.config.problem.SourcePosition;
import io.loam.config.yaml.YamlText;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/// Reads what users write. Nothing that stands in a file makes it throw: what cannot be used is a {@link Problem}.
/// Blocking; any thread, one reader may serve several.
public final class ConfigReader {
    /// A file this large is no configuration; reading it whole would cost the memory of everything else.
    private static final long MOST_BYTES = 64L << 20;

    private static final Set<String> EXTENSIONS = Set.of("yaml", "yml", "json");

    /// Documents come in the order of `filesOrDirs`, inside a directory in the order of their names.
    ///
    /// @param filesOrDirs directories are searched, with all below them, for `*.yaml`, `*.yml` and `*.json`;
    ///     names that start with a dot are left out (editors and ConfigMap mounts put copies there)
    public ReadResult read(List<Path> filesOrDirs) {
        return read(filesOrDirs, new FileMemory());
    }

    /// As {@link #read(List)}, with the same result. Files that still have the text they had last time are not parsed
    /// again and give the same objects: that is nearly all of the time that reading takes.
    ///
    /// @param memory of the last reading of these paths; of this one afterwards
    public ReadResult read(List<Path> filesOrDirs, FileMemory memory) {
        var reading = new Reading(memory);
        for (var path : filesOrDirs) {
            if (Files.isDirectory(path)) {
                readDirectory(path, reading);
            } else {
                readFile(path, reading);
            }
        }
        memory.forgetUnread();
        return reading.result();
    }

    /// @param name stands for the file in positions
    public ReadResult readText(String yaml, Path name) {
        var reading = new Reading(new FileMemory());
        reading.add(DocumentReading.of(YamlText.documents(yaml, name)));
        return reading.result();
    }

    private static void readDirectory(Path directory, Reading reading) {
        List<Path> children;
        try (var listed = Files.list(directory)) {
            children = listed.filter(child -> !child.getFileName().toString().startsWith("."))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            reading.unreadable(directory, "a directory that can be read", e);
            return;
        }
        for (var child : children) {
            if (Files.isDirectory(child)) {
                if (!Files.isSymbolicLink(child)) { // it could lead back up
                    readDirectory(child, reading);
                }
            } else if (hasConfigExtension(child)) {
                readFile(child, reading);
            }
        }
    }

    private static boolean hasConfigExtension(Path file) {
        var name = file.getFileName().toString();
        return EXTENSIONS.contains(name.substring(name.lastIndexOf('.') + 1));
    }

    private static void readFile(Path file, Reading reading) {
        try {
            long size = Files.size(file);
            if (size > MOST_BYTES) {
                reading.reject(file, size + " bytes", "at most " + MOST_BYTES, "not read");
                return;
            }
            reading.add(reading.memory.documents(file, Files.readString(file)));
        } catch (CharacterCodingException e) {
            reading.reject(file, "bytes that are no text", "UTF-8", "not read");
        } catch (IOException e) {
            reading.unreadable(file, "a file that can be read", e);
        }
    }

    /// What has been read so far.
    private static final class Reading {
        private final Map<ObjectKey, MeshObject> objects = new LinkedHashMap<>();
        private final List<Problem> problems = new ArrayList<>();
        private final List<Rejected> rejected = new ArrayList<>();

        private final FileMemory memory;

        Reading(FileMemory memory) {
            this.memory = memory;
        }

        void add(List<DocumentReading> documents) {
            for (var document : documents) {
                problems.addAll(document.problems());
                if (document.object() != null) {
                    add(document.object());
                }
                if (document.rejected() != null) {
                    rejected.add(document.rejected());
                }
            }
        }

        private void add(MeshObject object) {
            var first = objects.putIfAbsent(object.key(), object);
            if (first != null) {
                problems.add(new Problem(
                        Severity.ERROR,
                        object.meta().origin().of("metadata.name"),
                        object.key().toString(),
                        "metadata.name",
                        object.meta().name(),
                        "a name that is not taken",
                        "ignored, the one at " + first.meta().position() + " is used"));
            }
        }

        void unreadable(Path path, String expected, IOException e) {
            var reason =
                    e instanceof NoSuchFileException ? "there is none of that name" : String.valueOf(e.getMessage());
            reject(path, "cannot be read", expected, reason);
        }

        void reject(Path path, String value, String expected, String reason) {
            var where = SourcePosition.wholeFile(path);
            problems.add(new Problem(Severity.ERROR, where, "", "", value, expected, reason));
            rejected.add(new Rejected(where, null));
        }

        ReadResult result() {
            return new ReadResult(List.copyOf(objects.values()), problems, rejected);
        }
    }
}
