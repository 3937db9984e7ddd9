package io.loam.agent.crash;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The agents of this node that were there when this one started, as far as they still live: in an upgrade they serve
/// the pods until this one is ready (hazard P1). Known by the files that they lock ({@link CrashMarks}). Thread-safe.
public final class LivingPredecessors {
    private static final Logger log = LoggerFactory.getLogger(LivingPredecessors.class);

    public static final LivingPredecessors NONE = new LivingPredecessors(Set.of());

    private final Set<Path> marks = ConcurrentHashMap.newKeySet();

    private LivingPredecessors(Set<Path> marks) {
        this.marks.addAll(marks);
    }

    /// To be called before this process has a file of its own there.
    static LivingPredecessors in(Path directory) throws IOException {
        Set<Path> found = ConcurrentHashMap.newKeySet();
        try (var files = Files.newDirectoryStream(directory, "*" + CrashMarks.SUFFIX)) {
            files.forEach(found::add);
        }
        var living = new LivingPredecessors(found);
        if (living.any()) {
            log.info("another agent of the node serves as long as this one is not ready marks={}", living.marks);
        }
        return living;
    }

    /// Whether one of them lives. Who has ended once is not looked for again. Blocks for a moment, in a file system in
    /// memory as a rule.
    public boolean any() {
        marks.removeIf(file -> !isLocked(file));
        return !marks.isEmpty();
    }

    private static boolean isLocked(Path file) {
        try (var channel = FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            return channel.tryLock() == null; // otherwise closing gives it back
        } catch (OverlappingFileLockException _) {
            return true; // another agent in this process
        } catch (NoSuchFileException _) {
            return false;
        } catch (IOException e) {
            log.warn("cannot see whether another agent of the node lives: as if not file={}", file, e);
            return false;
        }
    }
}
