package io.loam.agent.crash;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What predecessors of this process have left: the pods that each died of are counted, and who has brought down
/// {@value #CRASHES} of them within ten minutes is isolated (hazard P5). A pod is blamed only if the JVM, which
/// names the thread that it crashed in (its error
/// file), or the watchdog says which event loop it was: an agent that was killed from outside, or ran out of
/// memory, blames nobody, however busy a pod kept it.
///
/// The directory belongs to the agents of one node; files of processes that live are left alone.
public final class Culprits {
    private static final Logger log = LoggerFactory.getLogger(Culprits.class);

    static final int CRASHES = 3;
    static final Duration MEMORY = Duration.ofMinutes(10);

    private static final String HISTORY = "crashes";
    private static final String ERROR_FILE = "hs_err_";
    private static final int KEPT_ERROR_FILES = 5;

    /// In the head of the file; what follows it may be megabytes.
    private static final Pattern CRASHED_THREAD = Pattern.compile("^Current thread \\(.*\\): +JavaThread \"([^\"]+)\"");

    private static final int HEAD_LINES = 200;

    private final Path directory;
    private final Clock clock;

    private record Crash(Instant when, String uid) {}

    private Culprits(Path directory, Clock clock) {
        this.directory = directory;
        this.clock = clock;
    }

    /// The option for the JVM of an agent with this directory: where its error file goes.
    public static String errorFileOption(Path directory) {
        return "-XX:ErrorFile=" + directory.resolve(ERROR_FILE + "%p.log");
    }

    /// Notes the crashes of processes that are gone.
    ///
    /// @return UIDs of the pods that are not to be served
    /// @throws IOException if the directory cannot be read and written
    public static Set<String> isolated(Path directory, Clock clock) throws IOException {
        return new Culprits(directory, clock).read();
    }

    private Set<String> read() throws IOException {
        var crashes = remembered();
        for (var marks : files(CrashMarks.SUFFIX)) {
            blamed(marks).ifPresent(uid -> {
                log.error("the agent before died while it served a pod uid={}", uid);
                crashes.add(new Crash(clock.instant(), uid));
            });
        }
        var lines = crashes.stream()
                .map(crash -> crash.when.toEpochMilli() + " " + crash.uid)
                .toList();
        var fresh = directory.resolve(HISTORY + "." + ProcessHandle.current().pid());
        Files.write(fresh, lines);
        Files.move(fresh, directory.resolve(HISTORY), StandardCopyOption.ATOMIC_MOVE);
        return guilty(crashes);
    }

    private static Set<String> guilty(List<Crash> crashes) {
        var counts = new HashMap<String, Integer>();
        crashes.forEach(crash -> counts.merge(crash.uid, 1, Integer::sum));
        var guilty = new HashSet<String>();
        counts.forEach((uid, count) -> {
            if (count >= CRASHES) {
                log.error("pod is isolated, its listeners stay closed uid={} crashes={} within={}", uid, count, MEMORY);
                guilty.add(uid);
            }
        });
        return Set.copyOf(guilty);
    }

    private List<Crash> remembered() throws IOException {
        var crashes = new ArrayList<Crash>();
        List<String> lines;
        try {
            lines = Files.readAllLines(directory.resolve(HISTORY));
        } catch (NoSuchFileException _) {
            return crashes;
        }
        var oldest = clock.instant().minus(MEMORY);
        for (var line : lines) {
            var words = line.split(" ", 2);
            if (words.length == 2 && words[0].matches("[0-9]{1,18}")) {
                var when = Instant.ofEpochMilli(Long.parseLong(words[0]));
                if (when.isAfter(oldest)) {
                    crashes.add(new Crash(when, words[1]));
                }
            }
        }
        return crashes;
    }

    /// Whom a process died of; its file is gone afterwards, unless it lives.
    private Optional<String> blamed(Path marks) throws IOException {
        try (var channel = FileChannel.open(marks, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            try {
                if (channel.tryLock() == null) {
                    return Optional.empty();
                }
            } catch (OverlappingFileLockException _) {
                return Optional.empty(); // our own
            }
            var pid = marks.getFileName().toString().replace(CrashMarks.SUFFIX, "");
            var content = ByteBuffer.allocate(MarkLayout.BYTES);
            while (content.hasRemaining() && channel.read(content) >= 0) {
                // until it is all here
            }
            var thread = crashedThread(pid);
            if (thread.isEmpty()) {
                thread = MarkLayout.read(content, MarkLayout.LOST_THREAD);
            }
            Files.deleteIfExists(marks);
            return thread.isEmpty() ? Optional.empty() : servedBy(thread, content);
        } catch (NoSuchFileException _) {
            return Optional.empty(); // another agent has looked at it
        }
    }

    private static Optional<String> servedBy(String thread, ByteBuffer content) {
        for (int loop = 0; loop < MarkLayout.LOOPS; loop++) {
            if (MarkLayout.read(content, MarkLayout.threadName(loop)).equals(thread)) {
                long number = content.getLong(MarkLayout.mark(loop));
                return number < 1 || number > MarkLayout.PODS
                        ? Optional.empty()
                        : Optional.of(MarkLayout.read(content, MarkLayout.uid((int) number)))
                                .filter(uid -> !uid.isEmpty());
            }
        }
        return Optional.empty();
    }

    /// What the JVM wrote when it died, which is kept under another name: numbers of processes come again.
    ///
    /// @return the name of the thread, empty if it wrote nothing
    private String crashedThread(String pid) throws IOException {
        var file = directory.resolve(ERROR_FILE + pid + ".log");
        if (!Files.exists(file)) {
            return "";
        }
        String thread;
        try (var lines = Files.lines(file, StandardCharsets.ISO_8859_1)) {
            thread = lines.limit(HEAD_LINES)
                    .map(CRASHED_THREAD::matcher)
                    .filter(Matcher::find)
                    .map(found -> found.group(1))
                    .findFirst()
                    .orElse("");
        }
        Files.move(
                file,
                directory.resolve("crash-" + clock.instant().toEpochMilli() + "-" + pid + ".log"),
                StandardCopyOption.ATOMIC_MOVE);
        var kept = files(".log").stream()
                .filter(log -> log.getFileName().toString().startsWith("crash-"))
                .toList();
        for (var old : kept.subList(0, Math.max(0, kept.size() - KEPT_ERROR_FILES))) {
            Files.deleteIfExists(old);
        }
        return thread;
    }

    /// In the order of their names.
    private List<Path> files(String suffix) throws IOException {
        try (var files = Files.list(directory)) {
            return files.filter(file -> file.getFileName().toString().endsWith(suffix))
                    .sorted()
                    .toList();
        }
    }
}
