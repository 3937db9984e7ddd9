package io.loam.protocol.linux;

import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An open network namespace. The namespace lives at least as long as this object holds it.
///
/// A socket keeps the namespace it was created in, whichever thread uses it later. So a thread enters only for the
/// moment a socket is created:
/// ```java
/// var channel = pod.call(() -> new EpollSocketChannel()); // the constructor calls socket(2)
/// ```
/// Owns its descriptor: {@link #close} when the pod is gone. Safe for all threads while open.
public final class Netns implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Netns.class);
    private static final Path OWN = Path.of("/proc/thread-self/ns/net");

    /// Where a thread comes from and goes back to, opened at its first visit elsewhere: opening it each time cost
    /// more than the two switches. A thread changes its home only by {@link #enter}.
    private static final ThreadLocal<@Nullable FileDescriptor> HOME = new ThreadLocal<>();

    /// Closes the homes of threads that have ended.
    private static final Cleaner CLEANER = Cleaner.create();

    private final FileDescriptor descriptor;
    private final long inode;

    private Netns(FileDescriptor descriptor) {
        this.descriptor = descriptor;
        this.inode = descriptor.inode();
    }

    /// @param path for example `/run/netns/name` or `/proc/1234/ns/net`
    public static Netns open(Path path) throws IOException {
        return new Netns(FileDescriptor.open(path));
    }

    /// @param descriptor of a network namespace; passes into the ownership of the result
    public static Netns of(FileDescriptor descriptor) {
        return new Netns(descriptor);
    }

    /// The namespace of the calling thread.
    public static Netns current() throws IOException {
        return open(OWN);
    }

    /// Two objects are the same namespace if their inodes agree.
    public long inode() {
        return inode;
    }

    /// For passing the namespace on by `SCM_RIGHTS`. Still owned by this object.
    public FileDescriptor descriptor() {
        return descriptor;
    }

    /// Runs `task` with the calling thread in this namespace and brings the thread back, whatever happens. Takes two
    /// system calls besides the task; the task should open a socket and nothing else.
    ///
    /// A thread that cannot be brought back would open sockets for the wrong pod from then on: the process halts.
    ///
    /// @throws IllegalStateException on a virtual thread, which would change its carrier's namespace
    /// @throws IOException if the namespace cannot be entered
    public <T, X extends Exception> T call(Task<T, X> task) throws IOException, X {
        requirePlatformThread();
        var home = home();
        Libc.setns(descriptor.number(), Libc.CLONE_NEWNET);
        try {
            return task.run();
        } finally {
            restore(home);
        }
    }

    private static FileDescriptor home() throws IOException {
        var known = HOME.get();
        if (known != null) {
            return known;
        }
        var opened = FileDescriptor.open(OWN);
        HOME.set(opened);
        CLEANER.register(Thread.currentThread(), opened::close);
        return opened;
    }

    /// Moves the calling thread here for good; only for threads that end with their namespace.
    void enter() throws IOException {
        requirePlatformThread();
        Libc.setns(descriptor.number(), Libc.CLONE_NEWNET);
        HOME.remove();
    }

    @SuppressWarnings("SystemExitOutsideMain") // see call(): going on would be worse than ending
    private void restore(FileDescriptor home) {
        try {
            Libc.setns(home.number(), Libc.CLONE_NEWNET);
        } catch (LinuxException | RuntimeException e) {
            LOG.error("thread={} cannot leave network namespace inode={}, halting", Thread.currentThread(), inode, e);
            Runtime.getRuntime().halt(70); // EX_SOFTWARE of sysexits(3)
        }
    }

    private static void requirePlatformThread() {
        if (Thread.currentThread().isVirtual()) {
            throw new IllegalStateException("a virtual thread must not change the namespace of its carrier"
                    + " (expected: a platform thread, for example an event loop or a NetnsThread)");
        }
    }

    @Override
    public void close() {
        descriptor.close();
    }

    @Override
    public String toString() {
        return "Netns[inode=" + inode + "]";
    }

    /// What to do inside.
    @FunctionalInterface
    public interface Task<T, X extends Exception> {
        T run() throws X;
    }
}
