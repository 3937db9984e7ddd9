package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// A connected Unix socket that keeps message boundaries (SOCK_SEQPACKET) and can hand over open descriptors with a
/// message (SCM_RIGHTS, unix(7)).
///
/// Blocking, so for platform threads: a virtual thread would hold its carrier while it waits. One thread may send while
/// another receives. {@link #close} wakes both.
public final class SeqPacketSocket implements AutoCloseable {
    /// What the kernel lets one message carry (SCM_MAX_FD, unix(7)).
    public static final int MAX_DESCRIPTORS = 253;

    // struct msghdr, 64 bit: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48
    private static final long MSGHDR_BYTES = 56;
    private static final long MSG_IOV = 16;
    private static final long MSG_IOVLEN = 24;
    private static final long MSG_CONTROL = 32;
    private static final long MSG_CONTROLLEN = 40;
    private static final long MSG_FLAGS = 48;
    private static final long IOVEC_BYTES = 16; // base 0, len 8
    // struct cmsghdr, 64 bit: len 0, level 8, type 12, data 16
    private static final long CMSG_HEADER_BYTES = 16;

    private final FileDescriptor descriptor;

    SeqPacketSocket(FileDescriptor descriptor) {
        this.descriptor = descriptor;
    }

    /// @throws LinuxException with ENOENT or ECONNREFUSED if nobody listens there
    public static SeqPacketSocket connect(Path path) throws IOException {
        var descriptor = new FileDescriptor(Libc.socket(Libc.AF_UNIX, Libc.SOCK_SEQPACKET | Libc.SOCK_CLOEXEC, 0));
        try (var arena = Arena.ofConfined()) {
            Libc.connect(descriptor.requireOpen(), UnixAddress.of(path, arena));
            return new SeqPacketSocket(descriptor);
        } catch (IOException | RuntimeException e) {
            descriptor.close();
            throw e;
        }
    }

    /// Sends one message.
    ///
    /// @param passed travel along as copies, {@link #MAX_DESCRIPTORS} at most; stay the caller's
    /// @throws IOException if the message does not leave within `timeout` or the other side has gone
    public void send(byte[] message, List<FileDescriptor> passed, Duration timeout) throws IOException {
        var deadlineNanos = System.nanoTime() + timeout.toNanos();
        try (var arena = Arena.ofConfined()) {
            var header = header(arena, arena.allocateFrom(JAVA_BYTE, message));
            if (!passed.isEmpty()) {
                var control = arena.allocate(cmsgSpace(passed.size()), 8);
                control.set(JAVA_LONG, 0, CMSG_HEADER_BYTES + (long) passed.size() * Integer.BYTES);
                control.set(JAVA_INT, 8, Libc.SOL_SOCKET);
                control.set(JAVA_INT, 12, Libc.SCM_RIGHTS);
                for (int i = 0; i < passed.size(); i++) {
                    var number = passed.get(i).number();
                    control.set(JAVA_INT, CMSG_HEADER_BYTES + (long) i * Integer.BYTES, number);
                }
                header.set(ADDRESS, MSG_CONTROL, control);
                header.set(JAVA_LONG, MSG_CONTROLLEN, control.byteSize());
            }
            while (true) {
                try {
                    Libc.sendmsg(descriptor.requireOpen(), header, Libc.MSG_NOSIGNAL | Libc.MSG_DONTWAIT);
                    return;
                } catch (LinuxException e) {
                    if (e.errno() != Libc.EAGAIN && e.errno() != Libc.EINTR) {
                        throw e;
                    }
                }
                var left = Duration.ofNanos(deadlineNanos - System.nanoTime());
                if (left.isNegative() || !Poll.await(descriptor, Libc.POLLOUT, left)) {
                    throw new IOException("message not taken within " + timeout);
                }
            }
        }
    }

    /// Waits for one message.
    ///
    /// @param maxBytes longest message to accept
    /// @throws IOException also if a message is longer than `maxBytes` or brings more descriptors than can
    ///     be taken
    public Received receive(int maxBytes, Duration timeout) throws IOException {
        var deadlineNanos = System.nanoTime() + timeout.toNanos();
        while (true) {
            var left = Duration.ofNanos(Math.max(0, deadlineNanos - System.nanoTime()));
            if (!Poll.await(descriptor, Libc.POLLIN, left)) {
                return Received.Nothing.INSTANCE;
            }
            try (var arena = Arena.ofConfined()) {
                var body = arena.allocate(maxBytes);
                var header = header(arena, body);
                var control = arena.allocate(cmsgSpace(MAX_DESCRIPTORS), 8);
                header.set(ADDRESS, MSG_CONTROL, control);
                header.set(JAVA_LONG, MSG_CONTROLLEN, control.byteSize());
                long length;
                try {
                    length = Libc.recvmsg(descriptor.requireOpen(), header, Libc.MSG_CMSG_CLOEXEC | Libc.MSG_DONTWAIT);
                } catch (LinuxException e) {
                    if (e.errno() == Libc.EAGAIN || e.errno() == Libc.EINTR) {
                        continue;
                    }
                    throw e;
                }
                return message(body, length, header, descriptors(header, control));
            }
        }
    }

    private static Received message(
            MemorySegment body, long length, MemorySegment header, List<FileDescriptor> descriptors)
            throws IOException {
        var flags = header.get(JAVA_INT, MSG_FLAGS);
        if ((flags & (Libc.MSG_TRUNC | Libc.MSG_CTRUNC)) != 0) {
            descriptors.forEach(FileDescriptor::close);
            throw new IOException(
                    (flags & Libc.MSG_TRUNC) != 0
                            ? "message longer than " + body.byteSize() + " bytes"
                            : "message with more descriptors than this process may open");
        }
        if (length == 0 && descriptors.isEmpty()) {
            // recv(2): an empty message and the end look alike; none of our protocols has empty messages to ask for.
            return Received.End.INSTANCE;
        }
        return new Received.Message(body.asSlice(0, length).toArray(JAVA_BYTE), descriptors);
    }

    private static MemorySegment header(Arena arena, MemorySegment body) {
        var vector = arena.allocate(IOVEC_BYTES, 8);
        vector.set(ADDRESS, 0, body);
        vector.set(JAVA_LONG, 8, body.byteSize());
        var header = arena.allocate(MSGHDR_BYTES, 8);
        header.set(ADDRESS, MSG_IOV, vector);
        header.set(JAVA_LONG, MSG_IOVLEN, 1);
        return header;
    }

    private static List<FileDescriptor> descriptors(MemorySegment header, MemorySegment control) {
        var found = new ArrayList<FileDescriptor>();
        var end = header.get(JAVA_LONG, MSG_CONTROLLEN);
        for (long at = 0; at + CMSG_HEADER_BYTES <= end; ) {
            var length = control.get(JAVA_LONG, at);
            if (length < CMSG_HEADER_BYTES) {
                break;
            }
            if (control.get(JAVA_INT, at + 8) == Libc.SOL_SOCKET && control.get(JAVA_INT, at + 12) == Libc.SCM_RIGHTS) {
                for (long data = at + CMSG_HEADER_BYTES; data + Integer.BYTES <= at + length; data += Integer.BYTES) {
                    found.add(new FileDescriptor(control.get(JAVA_INT, data)));
                }
            }
            at += (length + 7) & ~7L;
        }
        return List.copyOf(found);
    }

    private static long cmsgSpace(int descriptors) {
        return CMSG_HEADER_BYTES + (((long) descriptors * Integer.BYTES + 7) & ~7L);
    }

    /// The process at the other end, as the kernel noted it when the connection was made (SO_PEERCRED,
    /// unix(7)).
    public long peerPid() throws IOException {
        try (var arena = Arena.ofConfined()) {
            var credentials = arena.allocate(3 * Integer.BYTES, 4); // struct ucred: pid, uid, gid
            Libc.getsockopt(descriptor.requireOpen(), Libc.SOL_SOCKET, Libc.SO_PEERCRED, credentials);
            return credentials.get(JAVA_INT, 0);
        }
    }

    /// Ends both directions, wakes whoever waits, and closes.
    @Override
    public void close() {
        if (descriptor.isClosed()) {
            return;
        }
        Libc.shutdown(descriptor.number()); // wakes whoever waits
        descriptor.close();
    }

    @Override
    public String toString() {
        return "SeqPacketSocket[" + descriptor + "]";
    }

    /// What {@link #receive} found.
    public sealed interface Received {
        /// @param descriptors pass into the ownership of the receiver
        @SuppressWarnings("ArrayRecordComponent") // read once by its receiver, never compared
        record Message(byte[] bytes, List<FileDescriptor> descriptors) implements Received {}

        /// The other side has closed.
        enum End implements Received {
            INSTANCE
        }

        /// The time is over.
        enum Nothing implements Received {
            INSTANCE
        }
    }
}
