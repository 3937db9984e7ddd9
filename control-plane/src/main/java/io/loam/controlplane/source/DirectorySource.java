package io.loam.controlplane.source;

import io.loam.config.ConfigReader;
import io.loam.config.FileMemory;
import io.loam.config.problem.Problem;
import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.time.Duration;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Files and directories of documents, read now and again after every change. {@link #close} ends it.
///
/// The kernel's notifications make it quick; because they can be lost (overflow, network file systems),
/// everything is also looked at once per {@link #RESCAN}. A document that became unreadable keeps its last good
/// version in force; one that is gone, or whose file is, is gone.
public final class DirectorySource implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(DirectorySource.class);

    /// Editors and `cp` write in several steps: reading waits until nothing has changed for this long.
    static final Duration QUIET = Duration.ofMillis(100);

    /// But not longer than this: a file that is written all the time is read in between. Half of the second that a
    /// change may wait for others (hazard P9), since the control plane waits for quiet after this.
    private static final Duration LONGEST_WAIT = Duration.ofMillis(500);

    /// Only looks at names, sizes and times, which takes about a millisecond for 100 files.
    static final Duration RESCAN = Duration.ofSeconds(2);

    private final List<Path> paths;
    private final Consumer<SourceState> listener;
    private final ConfigReader reader = new ConfigReader();
    private final FileMemory memory = new FileMemory();
    private final WatchService notifications;
    private final Map<Path, WatchKey> watched = new HashMap<>();
    private final Thread thread;
    private volatile SourceState current = SourceState.EMPTY;
    private FileFingerprint fingerprint;

    private DirectorySource(List<Path> paths, Consumer<SourceState> listener) throws IOException {
        this.paths = List.copyOf(paths);
        this.listener = listener;
        this.notifications = FileSystems.getDefault().newWatchService();
        this.thread = Thread.ofPlatform().name("directory-source").daemon().unstarted(this::run);
        this.fingerprint = FileFingerprint.of(paths);
    }

    /// Reads everything once and returns; later states go to the listener, on a thread of the source.
    ///
    /// @param listener not called for the first state, which is {@link #current}
    /// @throws IOException if one of the paths does not exist, or changes cannot be watched
    public static DirectorySource start(List<Path> paths, Consumer<SourceState> listener) throws IOException {
        for (var path : paths) {
            if (!Files.exists(path)) {
                throw new IOException(path + ": does not exist (expected: a file or a directory of YAML files)");
            }
        }
        var source = new DirectorySource(paths, listener);
        source.watchDirectories(); // before reading: a change in between is noticed
        source.read();
        source.thread.start();
        return source;
    }

    public SourceState current() {
        return current;
    }

    @Override
    public void close() {
        try {
            notifications.close(); // ends the thread
            thread.join(Duration.ofSeconds(5));
        } catch (IOException e) {
            LOG.warn("source={} notifications could not be closed", paths, e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private void run() {
        try {
            while (true) {
                var key = notifications.poll(RESCAN.toMillis(), TimeUnit.MILLISECONDS);
                if (key != null) {
                    awaitQuiet(key);
                }
                readIfChanged();
            }
        } catch (ClosedWatchServiceException _) {
            LOG.debug("source={} closed", paths);
        } catch (InterruptedException e) {
            LOG.debug("source={} interrupted", paths, e);
        }
    }

    /// A key that was taken is always reset: one that is not says nothing any more, and only the next look at
    /// everything would find what changes.
    private void awaitQuiet(WatchKey first) throws InterruptedException {
        long end = System.nanoTime() + LONGEST_WAIT.toNanos();
        WatchKey key = first;
        while (key != null) {
            key.pollEvents(); // what happened does not matter: the fingerprint tells
            if (!key.reset()) {
                watched.values().remove(key);
            }
            key = System.nanoTime() - end < 0 ? notifications.poll(QUIET.toMillis(), TimeUnit.MILLISECONDS) : null;
        }
    }

    private void readIfChanged() {
        var now = FileFingerprint.of(paths);
        if (now.equals(fingerprint)) {
            return;
        }
        fingerprint = now;
        watchDirectories();
        try {
            read();
            listener.accept(current);
        } catch (RuntimeException | Error e) { // a bug must not end the watch: the next change is read again
            LOG.error("source={} a change could not be worked in, what was in force stays", paths, e);
        }
    }

    private void read() {
        var before = current;
        var result = reader.read(paths, memory);
        current = new SourceState(result.objectsKeepingLastGood(before.objects()), result.problems());
        var known = new HashSet<Problem>(before.problems());
        for (var problem : current.problems()) {
            if (!known.contains(problem)) {
                LOG.warn("{}", problem);
            }
        }
        LOG.info(
                "source={} objects={} problems={}",
                paths,
                current.objects().size(),
                current.problems().size());
    }

    private void watchDirectories() {
        var wanted = fingerprint.directoriesToWatch(paths);
        watched.entrySet().removeIf(entry -> {
            boolean stale = !wanted.contains(entry.getKey());
            if (stale) {
                entry.getValue().cancel();
            }
            return stale;
        });
        for (var directory : wanted) {
            // Registering again gives the same key, or a new one where another directory took the place of the old.
            try {
                var key = directory.register(
                        notifications,
                        StandardWatchEventKinds.ENTRY_CREATE,
                        StandardWatchEventKinds.ENTRY_MODIFY,
                        StandardWatchEventKinds.ENTRY_DELETE);
                watched.put(directory, key);
            } catch (IOException e) {
                LOG.warn("directory={} is not watched, only looked at every {}: {}", directory, RESCAN, e.toString());
            }
        }
    }
}
