package io.loam.protocol.linux;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Listens on a Unix SOCK_SEQPACKET path that only root may open. Replaces a socket file that a killed predecessor
/// left, and removes its own on {@link #close}. Blocking; for platform threads.
public final class SeqPacketServer implements AutoCloseable {
    private static final int BACKLOG = 16;

    private final Path path;
    private final FileDescriptor descriptor;

    private SeqPacketServer(Path path, FileDescriptor descriptor) {
        this.path = path;
        this.descriptor = descriptor;
    }

    /// Creates missing folders on the way.
    public static SeqPacketServer listen(Path path) throws IOException {
        var folder = path.toAbsolutePath().getParent();
        if (folder != null) {
            Files.createDirectories(folder);
        }
        Files.deleteIfExists(path);
        var descriptor = new FileDescriptor(Libc.socket(Libc.AF_UNIX, Libc.SOCK_SEQPACKET | Libc.SOCK_CLOEXEC, 0));
        try (var arena = Arena.ofConfined()) {
            Libc.bind(descriptor.requireOpen(), UnixAddress.of(path, arena));
            // Before listen(2): nobody can connect in between with the permissions the umask left.
            Files.setPosixFilePermissions(path, PosixFilePermissions.fromString("rw-------"));
            Libc.listen(descriptor.requireOpen(), BACKLOG);
            return new SeqPacketServer(path, descriptor);
        } catch (IOException | RuntimeException e) {
            descriptor.close();
            throw e;
        }
    }

    /// @return the next connection, or null if none came within `timeout`
    /// @throws IOException also when the server is closed meanwhile
    public @Nullable SeqPacketSocket accept(Duration timeout) throws IOException {
        if (!Poll.await(descriptor, Libc.POLLIN, timeout)) {
            return null;
        }
        return new SeqPacketSocket(new FileDescriptor(Libc.accept(descriptor.requireOpen())));
    }

    public Path path() {
        return path;
    }

    @Override
    public void close() {
        if (descriptor.isClosed()) {
            return;
        }
        Libc.shutdown(descriptor.number()); // wakes whoever waits
        descriptor.close();
        try {
            Files.deleteIfExists(path);
        } catch (IOException e) {
            throw new UncheckedIOException("cannot remove " + path, e);
        }
    }
}
