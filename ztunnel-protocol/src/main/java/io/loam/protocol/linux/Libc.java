package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/// The C library's functions as Java methods. A negative result is turned into an {@link LinuxException} with the errno
/// that the call left behind, captured before the virtual machine can overwrite it.
///
/// Numbers are those of Linux on x86_64 and aarch64, which agree on everything used here.
final class Libc {
    static final int O_RDONLY = 0;
    static final int O_CLOEXEC = 0x80000; // 02000000
    static final int CLONE_NEWNET = 0x40000000;
    static final int AF_UNIX = 1;
    static final int SOCK_SEQPACKET = 5;
    static final int SOCK_CLOEXEC = 0x80000;
    static final int SOL_SOCKET = 1;
    static final int SCM_RIGHTS = 1;
    static final int MSG_CTRUNC = 0x8;
    static final int MSG_TRUNC = 0x20;
    static final int MSG_NOSIGNAL = 0x4000;
    static final int MSG_DONTWAIT = 0x40;
    static final int MSG_CMSG_CLOEXEC = 0x40000000;
    static final int SHUT_RDWR = 2;
    static final short POLLIN = 1;
    static final short POLLOUT = 4;
    static final int RLIMIT_NOFILE = 7;

    static final int ENOENT = 2;
    static final int EINTR = 4;
    static final int EAGAIN = 11;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    /// Variadic in C: from the third argument on.
    private static final MethodHandle OPEN =
            handle("open", Linker.Option.firstVariadicArg(2), JAVA_INT, ADDRESS, JAVA_INT, JAVA_INT);

    private static final MethodHandle CLOSE = handle("close", JAVA_INT, JAVA_INT);
    private static final MethodHandle SETNS = handle("setns", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle SOCKET = handle("socket", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle BIND = handle("bind", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle LISTEN = handle("listen", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle ACCEPT4 = handle("accept4", JAVA_INT, JAVA_INT, ADDRESS, ADDRESS, JAVA_INT);
    private static final MethodHandle CONNECT = handle("connect", JAVA_INT, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle SHUTDOWN = handle("shutdown", JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle POLL = handle("poll", JAVA_INT, ADDRESS, JAVA_LONG, JAVA_INT);
    private static final MethodHandle SENDMSG = handle("sendmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle RECVMSG = handle("recvmsg", JAVA_LONG, JAVA_INT, ADDRESS, JAVA_INT);
    private static final MethodHandle DUP3 = handle("dup3", JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle GETRLIMIT = handle("getrlimit", JAVA_INT, JAVA_INT, ADDRESS);
    private static final MethodHandle SETRLIMIT = handle("setrlimit", JAVA_INT, JAVA_INT, ADDRESS);
    private static final MethodHandle STRERROR =
            LINKER.downcallHandle(symbol("strerror"), FunctionDescriptor.of(ADDRESS, JAVA_INT));

    private Libc() {}

    static int open(String path, int flags) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            var result = (int) OPEN.invokeExact(state, arena.allocateFrom(path), flags, 0);
            return checked(result, state, "open " + path);
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void close(int fd) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) CLOSE.invokeExact(state, fd), state, "close");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void setns(int fd, int type) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) SETNS.invokeExact(state, fd, type), state, "setns");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int socket(int domain, int type, int protocol) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            return checked((int) SOCKET.invokeExact(state, domain, type, protocol), state, "socket");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void bind(int fd, MemorySegment address) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) BIND.invokeExact(state, fd, address, (int) address.byteSize()), state, "bind");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void listen(int fd, int backlog) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) LISTEN.invokeExact(state, fd, backlog), state, "listen");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static int accept(int fd) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            var result = (int) ACCEPT4.invokeExact(state, fd, MemorySegment.NULL, MemorySegment.NULL, SOCK_CLOEXEC);
            return checked(result, state, "accept4");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void connect(int fd, MemorySegment address) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) CONNECT.invokeExact(state, fd, address, (int) address.byteSize()), state, "connect");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// The result does not matter: shutting down twice is not an error worth telling.
    static void shutdown(int fd) {
        try (var arena = Arena.ofConfined()) {
            var _ = (int) SHUTDOWN.invokeExact(arena.allocate(STATE), fd, SHUT_RDWR);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    /// @param timeoutMillis 0 does not wait
    /// @return how many of `entries` have events; 0 after the time-out
    static int poll(MemorySegment entries, long count, int timeoutMillis) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            return checked((int) POLL.invokeExact(state, entries, count, timeoutMillis), state, "poll");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long sendmsg(int fd, MemorySegment message, int flags) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            return checked((long) SENDMSG.invokeExact(state, fd, message, flags), state, "sendmsg");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static long recvmsg(int fd, MemorySegment message, int flags) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            return checked((long) RECVMSG.invokeExact(state, fd, message, flags), state, "recvmsg");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void dup3(int from, int to) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) DUP3.invokeExact(state, from, to, O_CLOEXEC), state, "dup3");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void getrlimit(int resource, MemorySegment limits) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) GETRLIMIT.invokeExact(state, resource, limits), state, "getrlimit");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    static void setrlimit(int resource, MemorySegment limits) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            checked((int) SETRLIMIT.invokeExact(state, resource, limits), state, "setrlimit");
        } catch (LinuxException e) {
            throw e;
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static int checked(int result, MemorySegment state, String call) throws LinuxException {
        return (int) checked((long) result, state, call);
    }

    private static long checked(long result, MemorySegment state, String call) throws LinuxException {
        if (result < 0) {
            var errno = (int) ERRNO.get(state, 0L);
            throw new LinuxException(call, errno, message(errno));
        }
        return result;
    }

    /// strerror(3) may overwrite the text from another thread; its texts for known numbers are constant in glibc and
    /// musl.
    private static String message(int errno) {
        try {
            var text = (MemorySegment) STRERROR.invokeExact(errno);
            return text.reinterpret(256).getString(0);
        } catch (Throwable e) {
            throw unexpected(e);
        }
    }

    private static MethodHandle handle(String name, MemoryLayout result, MemoryLayout... arguments) {
        return LINKER.downcallHandle(
                symbol(name), FunctionDescriptor.of(result, arguments), Linker.Option.captureCallState("errno"));
    }

    private static MethodHandle handle(
            String name, Linker.Option option, MemoryLayout result, MemoryLayout... arguments) {
        return LINKER.downcallHandle(
                symbol(name),
                FunctionDescriptor.of(result, arguments),
                Linker.Option.captureCallState("errno"),
                option);
    }

    private static MemorySegment symbol(String name) {
        return LINKER.defaultLookup().findOrThrow(name);
    }

    /// Method handles declare Throwable; what arrives here is an Error or a bug.
    private static RuntimeException unexpected(Throwable e) {
        if (e instanceof Error error) {
            throw error;
        }
        return e instanceof RuntimeException runtime ? runtime : new IllegalStateException("native call", e);
    }
}
