package io.loam.agent.crash;

import io.netty.channel.EventLoop;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.BitSet;
import java.util.IdentityHashMap;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Where this process notes which pod each event loop serves at the moment: a file in memory that outlives it, so that
/// its successor knows whose bytes it died of ({@link Culprits}). Two plain stores per event of a tunnel.
///
/// The file is locked as long as the process lives, and deleted by {@link #close}: what is there and not locked is of
/// one that died. Thread-safe.
public final class CrashMarks implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(CrashMarks.class);

    static final String SUFFIX = ".marks";

    /// Notes nothing.
    public static final CrashMarks NONE = new CrashMarks();

    private final @Nullable Path file;
    private final @Nullable FileChannel channel;
    private final ByteBuffer marks;
    private final IdentityHashMap<EventLoop, Integer> loops = new IdentityHashMap<>();
    private final BitSet taken = new BitSet(); // guarded by this
    private int last; // guarded by this

    private CrashMarks() {
        file = null;
        channel = null;
        marks = ByteBuffer.allocate(0);
    }

    private CrashMarks(Path file, FileChannel channel, MappedByteBuffer marks, List<EventLoop> workers) {
        this.file = file;
        this.channel = channel;
        this.marks = marks;
        for (int i = 0; i < Math.min(workers.size(), MarkLayout.LOOPS); i++) {
            int loop = i;
            loops.put(workers.get(i), loop);
            workers.get(i)
                    .execute(() -> MarkLayout.write(
                            marks,
                            MarkLayout.threadName(loop),
                            Thread.currentThread().getName()));
        }
    }

    /// @param directory exists; on a file system in memory, or the kernel writes the file out now and then
    /// @param workers the first 64 are watched
    public static CrashMarks open(Path directory, List<EventLoop> workers) throws IOException {
        var file = directory.resolve(ProcessHandle.current().pid() + SUFFIX);
        Files.deleteIfExists(file); // of a predecessor with our number, already looked at
        var channel = FileChannel.open(
                file, StandardOpenOption.CREATE_NEW, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() == null) {
                throw new IOException(file + ": locked by another process");
            }
            return new CrashMarks(file, channel, channel.map(MapMode.READ_WRITE, 0, MarkLayout.BYTES), workers);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    /// A pod is served from now on.
    ///
    /// @return where its loops note it, until it is closed
    public synchronized PodMarks of(String uid) {
        if (file == null) {
            return PodMarks.NONE;
        }
        for (int tries = 0; tries < MarkLayout.PODS; tries++) {
            last = last % MarkLayout.PODS + 1; // not the number that was given back last: its connections may live on
            if (!taken.get(last)) {
                taken.set(last);
                MarkLayout.write(marks, MarkLayout.uid(last), uid);
                int number = last;
                return new PodMarks(marks, loops, number, () -> give(number));
            }
        }
        return PodMarks.NONE;
    }

    private synchronized void give(int number) {
        taken.clear(number);
    }

    /// This thread does not come back, and the process is about to end because of it.
    public void lost(String thread) {
        if (file != null) {
            MarkLayout.write(marks, MarkLayout.LOST_THREAD, thread);
        }
    }

    /// The process ends in good order.
    @Override
    public void close() {
        if (file == null || channel == null) {
            return;
        }
        try (channel) {
            Files.deleteIfExists(file);
        } catch (IOException e) {
            log.warn("marks stay behind file={} reason={}", file, e.getMessage());
        }
    }
}
