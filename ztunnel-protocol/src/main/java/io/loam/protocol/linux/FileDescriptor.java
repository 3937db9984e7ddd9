package io.loam.protocol.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicBoolean;

/// An open file of this process. Whoever holds the object owns the descriptor and closes it; passing the object on
/// passes the ownership on. Safe for all threads; closing twice is harmless.
public final class FileDescriptor implements AutoCloseable {
    private final int number;
    private final AtomicBoolean closed = new AtomicBoolean();

    /// @param number an open descriptor that nobody else will close
    FileDescriptor(int number) {
        this.number = number;
    }

    /// Opens a file for reading, close-on-exec.
    public static FileDescriptor open(Path path) throws IOException {
        return new FileDescriptor(Libc.open(path.toString(), Libc.O_RDONLY | Libc.O_CLOEXEC));
    }

    /// A second descriptor of the same open file, close-on-exec.
    ///
    /// @param number open for as long as this call lasts; stays its owner's
    public static FileDescriptor duplicate(int number) throws IOException {
        return new FileDescriptor(Libc.duplicate(number));
    }

    /// Gives the descriptor away: this object counts as closed, the descriptor stays open.
    ///
    /// @return the number, which somebody else has to close
    public int detach() {
        if (!closed.compareAndSet(false, true)) {
            throw new IllegalStateException("descriptor " + number + " is closed");
        }
        return number;
    }

    /// The number, for another system call. It stays valid until {@link #close}.
    public int number() {
        if (closed.get()) {
            throw new IllegalStateException("descriptor " + number + " is closed");
        }
        return number;
    }

    /// As {@link #number}, for blocking calls that another thread ends by closing.
    ///
    /// @throws IOException if closed
    int requireOpen() throws IOException {
        if (closed.get()) {
            throw new ClosedChannelException();
        }
        return number;
    }

    boolean isClosed() {
        return closed.get();
    }

    /// The inode behind the descriptor; for a namespace or a socket the number that identifies it while it
    /// exists.
    public long inode() {
        try {
            return (long) Files.getAttribute(Path.of("/proc/self/fd/" + number()), "unix:ino");
        } catch (IOException e) {
            throw new UncheckedIOException("descriptor " + number + " without /proc", e);
        }
    }

    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            try {
                Libc.close(number);
            } catch (LinuxException e) {
                throw new UncheckedIOException("descriptor " + number + " was closed behind our back", e);
            }
        }
    }

    @Override
    public String toString() {
        return "fd " + number + (closed.get() ? " (closed)" : "");
    }
}
