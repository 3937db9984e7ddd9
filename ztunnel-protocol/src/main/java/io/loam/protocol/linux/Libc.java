package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;

/// The C library's functions as Java methods. A negative result is turned into an {@link LinuxException} with
/// the errno that the call left behind, captured before the virtual machine can overwrite it.
///
/// Numbers are those of Linux on x86_64 and aarch64, which agree on everything used here. So do their calling
/// conventions on what {@link #CALL} relies on: the first six integers and pointers travel in registers of 64
/// bits, variadic ones too, a function looks at no more of a register than the type of its parameter has, and
/// what lies above a result of type `int` means nothing (System V ABI for AMD64, 3.2.3; Procedure Call
/// Standard for AArch64, 6.8.2).
///
/// Memory that is handed to a function has to stay alive until it returns: take it from an arena that is
/// closed later.
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
    static final int RLIMIT_CORE = 4;
    static final int RLIMIT_NOFILE = 7;
    static final int AF_INET6 = 10;
    static final int IPPROTO_TCP = 6;
    static final int IPPROTO_UDP = 17;
    static final int SO_PEERCRED = 17;
    static final int SO_ACCEPTCONN = 30;
    static final int SO_PROTOCOL = 38;
    static final int SO_DOMAIN = 39;
    static final int F_DUPFD_CLOEXEC = 1030;
    static final long SIOCGSKNS = 0x894C; // a descriptor of the namespace that a socket belongs to
    static final int PR_GET_DUMPABLE = 3;
    static final int PR_SET_DUMPABLE = 4;

    static final int SCHED_BATCH = 3;

    static final int ENOENT = 2;
    static final int EINTR = 4;
    static final int EAGAIN = 11;

    private static final Linker LINKER = Linker.nativeLinker();
    private static final MemoryLayout STATE = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = STATE.varHandle(MemoryLayout.PathElement.groupElement("errno"));

    /// Calls any function here, whose address comes first. One for all, because the virtual machine spins
    /// classes for each kind of signature at run time, some 10 ms of an agent's start for each.
    private static final MethodHandle CALL = LINKER.downcallHandle(
            FunctionDescriptor.of(JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG),
            Linker.Option.captureCallState("errno"));

    private static final MemorySegment OPEN = symbol("open");
    private static final MemorySegment CLOSE = symbol("close");
    private static final MemorySegment SETNS = symbol("setns");
    private static final MemorySegment SOCKET = symbol("socket");
    private static final MemorySegment BIND = symbol("bind");
    private static final MemorySegment LISTEN = symbol("listen");
    private static final MemorySegment ACCEPT4 = symbol("accept4");
    private static final MemorySegment CONNECT = symbol("connect");
    private static final MemorySegment SHUTDOWN = symbol("shutdown");
    private static final MemorySegment POLL = symbol("poll");
    private static final MemorySegment SENDMSG = symbol("sendmsg");
    private static final MemorySegment RECVMSG = symbol("recvmsg");
    private static final MemorySegment DUP3 = symbol("dup3");
    private static final MemorySegment FCNTL = symbol("fcntl");
    private static final MemorySegment IOCTL = symbol("ioctl");
    private static final MemorySegment GETSOCKOPT = symbol("getsockopt");
    private static final MemorySegment GETSOCKNAME = symbol("getsockname");
    private static final MemorySegment GETRLIMIT = symbol("getrlimit");
    private static final MemorySegment SETRLIMIT = symbol("setrlimit");
    private static final MemorySegment PRCTL = symbol("prctl");
    private static final MemorySegment SCHED_SETSCHEDULER = symbol("sched_setscheduler");
    private static final MemorySegment STRERROR = symbol("strerror");

    private Libc() {}

    static int open(String path, int flags) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            return callInt("open " + path, OPEN, arena.allocateFrom(path).address(), flags, 0, 0);
        }
    }

    static void close(int fd) throws LinuxException {
        callInt("close", CLOSE, fd, 0, 0, 0);
    }

    static void setns(int fd, int type) throws LinuxException {
        callInt("setns", SETNS, fd, type, 0, 0);
    }

    static int socket(int domain, int type, int protocol) throws LinuxException {
        return callInt("socket", SOCKET, domain, type, protocol, 0);
    }

    static void bind(int fd, MemorySegment address) throws LinuxException {
        callInt("bind", BIND, fd, address.address(), address.byteSize(), 0);
    }

    static void listen(int fd, int backlog) throws LinuxException {
        callInt("listen", LISTEN, fd, backlog, 0, 0);
    }

    static int accept(int fd) throws LinuxException {
        return callInt("accept4", ACCEPT4, fd, 0, 0, SOCK_CLOEXEC);
    }

    static void connect(int fd, MemorySegment address) throws LinuxException {
        callInt("connect", CONNECT, fd, address.address(), address.byteSize(), 0);
    }

    /// The result does not matter: shutting down twice is not an error worth telling.
    static void shutdown(int fd) {
        try (var arena = Arena.ofConfined()) {
            long _ = invoke(SHUTDOWN, arena.allocate(STATE), fd, SHUT_RDWR, 0, 0);
        }
    }

    /// @param timeoutMillis 0 does not wait
    /// @return how many of `entries` have events; 0 after the time-out
    static int poll(MemorySegment entries, long count, int timeoutMillis) throws LinuxException {
        return callInt("poll", POLL, entries.address(), count, timeoutMillis, 0);
    }

    static long sendmsg(int fd, MemorySegment message, int flags) throws LinuxException {
        return callLong("sendmsg", SENDMSG, fd, message.address(), flags, 0);
    }

    static long recvmsg(int fd, MemorySegment message, int flags) throws LinuxException {
        return callLong("recvmsg", RECVMSG, fd, message.address(), flags, 0);
    }

    static void dup3(int from, int to) throws LinuxException {
        callInt("dup3", DUP3, from, to, O_CLOEXEC, 0);
    }

    /// @return a second descriptor of the same open file, close-on-exec
    static int duplicate(int fd) throws LinuxException {
        return callInt("fcntl F_DUPFD_CLOEXEC", FCNTL, fd, F_DUPFD_CLOEXEC, 0, 0);
    }

    /// @return a descriptor of the network namespace that the socket belongs to; needs NET_ADMIN there
    static int socketNamespace(int fd) throws LinuxException {
        return callInt("ioctl SIOCGSKNS", IOCTL, fd, SIOCGSKNS, 0, 0);
    }

    /// @param value is filled; options shorter than it leave its rest alone
    static void getsockopt(int fd, int level, int option, MemorySegment value) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            var length = arena.allocateFrom(JAVA_INT, (int) value.byteSize());
            var result = (int) invoke(GETSOCKOPT, state, fd, level, option, value.address(), length.address());
            checked(result, state, "getsockopt");
        }
    }

    /// @param address is filled as far as it goes
    static void getsockname(int fd, MemorySegment address) throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var length = arena.allocateFrom(JAVA_INT, (int) address.byteSize());
            callInt("getsockname", GETSOCKNAME, fd, address.address(), length.address(), 0);
        }
    }

    static void getrlimit(int resource, MemorySegment limits) throws LinuxException {
        callInt("getrlimit", GETRLIMIT, resource, limits.address(), 0, 0);
    }

    static void setrlimit(int resource, MemorySegment limits) throws LinuxException {
        callInt("setrlimit", SETRLIMIT, resource, limits.address(), 0, 0);
    }

    static int prctl(int option, long argument) throws LinuxException {
        return callInt("prctl", PRCTL, option, argument, 0, 0);
    }

    /// Of the calling thread.
    static void schedSetscheduler(int policy, MemorySegment priority) throws LinuxException {
        callInt("sched_setscheduler", SCHED_SETSCHEDULER, 0, policy, priority.address(), 0);
    }

    /// @param what the call as an error names it
    private static int callInt(String what, MemorySegment function, long a, long b, long c, long d)
            throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            var result = (int) invoke(function, state, a, b, c, d);
            return (int) checked(result, state, what);
        }
    }

    private static long callLong(String what, MemorySegment function, long a, long b, long c, long d)
            throws LinuxException {
        try (var arena = Arena.ofConfined()) {
            var state = arena.allocate(STATE);
            return checked(invoke(function, state, a, b, c, d), state, what);
        }
    }

    private static long checked(long result, MemorySegment state, String what) throws LinuxException {
        if (result < 0) {
            var errno = (int) ERRNO.get(state, 0L);
            throw new LinuxException(what, errno, message(errno));
        }
        return result;
    }

    /// strerror(3) may overwrite the text from another thread; its texts for known numbers are constant in
    /// glibc and musl.
    private static String message(int errno) {
        try (var arena = Arena.ofConfined()) {
            var text = MemorySegment.ofAddress(invoke(STRERROR, arena.allocate(STATE), errno, 0, 0, 0));
            return text.reinterpret(256).getString(0);
        }
    }

    private static long invoke(MemorySegment function, MemorySegment state, long a, long b, long c, long d) {
        return invoke(function, state, a, b, c, d, 0);
    }

    private static long invoke(MemorySegment function, MemorySegment state, long a, long b, long c, long d, long e) {
        try {
            return (long) CALL.invokeExact(function, state, a, b, c, d, e);
        } catch (RuntimeException | Error failure) {
            throw failure;
        } catch (Throwable failure) {
            throw new IllegalStateException(
                    "native call", failure); // method handles declare it, functions of C throw nothing
        }
    }

    private static MemorySegment symbol(String name) {
        return LINKER.defaultLookup().findOrThrow(name);
    }
}
