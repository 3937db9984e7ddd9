package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Asks the connection tracking of a network namespace where a datagram was sent before a REDIRECT rule brought
/// it here. For TCP the kernel tells by a socket option ({@link OriginalAddress}); for UDP there is none, and
/// the address that recvmsg(2) can report is the one after the redirection.
///
/// One question is one message of the netlink family `nfnetlink_conntrack` and its answer, which the kernel has
/// ready when the question has been sent: some microseconds, no waiting. Needs NET_ADMIN in the namespace and a
/// kernel with `CONFIG_NF_CT_NETLINK`.
///
/// For one thread at a time. Owns a socket: {@link #close}.
public final class Conntrack implements AutoCloseable {
    // linux/netlink.h, linux/netfilter/nfnetlink.h, linux/netfilter/nfnetlink_conntrack.h
    private static final int AF_NETLINK = 16;
    private static final int SOCK_RAW = 3;
    private static final int NETLINK_NETFILTER = 12;
    private static final short NLM_F_REQUEST = 1;
    private static final short NLMSG_ERROR = 2;
    /// NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_GET
    private static final short CT_GET = 0x0101;
    /// NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW: how an entry is answered.
    private static final short CT_NEW = 0x0100;

    private static final int NLMSG_HEADER_BYTES = 16;
    private static final int NFGENMSG_BYTES = 4;
    private static final int ATTRIBUTE_HEADER_BYTES = 4;
    private static final short NESTED = (short) 0x8000;
    private static final int TYPE_MASK = 0x3fff;
    private static final short CTA_TUPLE_ORIG = 1;
    private static final short CTA_TUPLE_REPLY = 2;
    private static final short CTA_TUPLE_IP = 1;
    private static final short CTA_TUPLE_PROTO = 2;
    private static final short CTA_IP_V4_SRC = 1;
    private static final short CTA_IP_V4_DST = 2;
    private static final short CTA_IP_V6_SRC = 3;
    private static final short CTA_IP_V6_DST = 4;
    private static final short CTA_PROTO_NUM = 1;
    private static final short CTA_PROTO_SRC_PORT = 2;
    private static final short CTA_PROTO_DST_PORT = 3;
    private static final byte AF_INET = 2;
    private static final byte AF_INET6 = 10;
    private static final byte IPPROTO_UDP = 17;

    // struct msghdr, 64 bit: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48
    private static final long MSGHDR_BYTES = 56;
    private static final long IOVEC_BYTES = 16;

    /// An entry of conntrack takes some 300 bytes.
    private static final int ANSWER_BYTES = 4096;

    /// Answers to earlier questions that nobody took, at most.
    private static final int STALE_ANSWERS = 8;

    private final FileDescriptor socket;
    private final ByteBuffer question = direct(256);
    private final ByteBuffer answer = direct(ANSWER_BYTES);
    private final MemorySegment questionIovec;
    private final MemorySegment questionHeader;
    private final MemorySegment answerHeader;
    private int sequence;

    private Conntrack(FileDescriptor socket) {
        this.socket = socket;
        var arena = Arena.ofAuto();
        questionIovec = arena.allocate(IOVEC_BYTES, 8);
        questionHeader = header(arena, questionIovec, question);
        answerHeader = header(arena, arena.allocate(IOVEC_BYTES, 8), answer);
    }

    private static ByteBuffer direct(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    private static MemorySegment header(Arena arena, MemorySegment iovec, ByteBuffer buffer) {
        iovec.set(ADDRESS, 0, MemorySegment.ofBuffer(buffer.clear()));
        iovec.set(JAVA_LONG, 8, buffer.capacity());
        var header = arena.allocate(MSGHDR_BYTES, 8);
        header.set(ADDRESS, 16, iovec);
        header.set(JAVA_LONG, 24, 1L);
        return header;
    }

    /// On a platform thread.
    ///
    /// @param netns whose connections are asked for; stays the caller's
    /// @throws IOException if the kernel offers no such socket
    public static Conntrack open(Netns netns) throws IOException {
        return netns.call(() -> new Conntrack(
                new FileDescriptor(Libc.socket(AF_NETLINK, SOCK_RAW | Libc.SOCK_CLOEXEC, NETLINK_NETFILTER))));
    }

    /// Where a datagram was sent that arrived here.
    ///
    /// @param from who sent it
    /// @param to where it arrived, of the same family; a redirected one of a local program arrives at the
    ///     loopback address
    /// @return empty if the namespace has no such flow, which is so where nothing is tracked
    /// @throws IOException if the kernel does not answer
    public Optional<InetSocketAddress> originalDestination(InetSocketAddress from, InetSocketAddress to)
            throws IOException {
        sequence++;
        write(question.clear(), sequence, from, to);
        questionIovec.set(JAVA_LONG, 8, question.flip().remaining());
        Libc.sendmsg(socket.number(), questionHeader, Libc.MSG_NOSIGNAL);
        for (int i = 0; i < STALE_ANSWERS; i++) {
            int read = (int) Libc.recvmsg(socket.number(), answerHeader, Libc.MSG_DONTWAIT);
            answer.clear().limit(Math.min(read, answer.capacity()));
            if (read >= NLMSG_HEADER_BYTES && answer.getInt(8) == sequence) {
                return read(answer);
            }
        }
        throw new IOException("conntrack: " + STALE_ANSWERS + " answers to other questions");
    }

    /// A question for the flow whose replies go from `to` to `from`.
    static void write(ByteBuffer out, int sequence, InetSocketAddress from, InetSocketAddress to) {
        byte[] source = to.getAddress().getAddress();
        byte[] destination = from.getAddress().getAddress();
        if (source.length != destination.length) {
            throw new IllegalArgumentException("addresses: " + from + ", " + to + " (expected: of the same family)");
        }
        boolean v4 = source.length == 4;
        out.putInt(0).putShort(CT_GET).putShort(NLM_F_REQUEST).putInt(sequence).putInt(0); // length comes last
        out.put(v4 ? AF_INET : AF_INET6).put((byte) 0).putShort((short) 0); // family, version, resource
        int tuple = begin(out, CTA_TUPLE_REPLY);
        int ip = begin(out, CTA_TUPLE_IP);
        attribute(out, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, source);
        attribute(out, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, destination);
        end(out, ip);
        int protocol = begin(out, CTA_TUPLE_PROTO);
        attribute(out, CTA_PROTO_NUM, new byte[] {IPPROTO_UDP});
        attribute(out, CTA_PROTO_SRC_PORT, networkOrder(to.getPort()));
        attribute(out, CTA_PROTO_DST_PORT, networkOrder(from.getPort()));
        end(out, protocol);
        end(out, tuple);
        out.putInt(0, out.position());
    }

    private static byte[] networkOrder(int port) {
        return new byte[] {(byte) (port >>> 8), (byte) port};
    }

    private static int begin(ByteBuffer out, short type) {
        int start = out.position();
        out.putShort((short) 0).putShort((short) (type | NESTED));
        return start;
    }

    private static void end(ByteBuffer out, int start) {
        out.putShort(start, (short) (out.position() - start));
    }

    private static void attribute(ByteBuffer out, short type, byte[] value) {
        out.putShort((short) (ATTRIBUTE_HEADER_BYTES + value.length))
                .putShort(type)
                .put(value);
        while (out.position() % 4 != 0) {
            out.put((byte) 0);
        }
    }

    /// @param message one whole netlink message
    static Optional<InetSocketAddress> read(ByteBuffer message) throws IOException {
        short type = message.getShort(4);
        if (type == NLMSG_ERROR) {
            int errno = -message.getInt(NLMSG_HEADER_BYTES);
            if (errno == Libc.ENOENT) {
                return Optional.empty();
            }
            throw new IOException("conntrack: the kernel refused the question (errno " + errno + ")");
        }
        if (type != CT_NEW) {
            throw new IOException("conntrack: answer of type " + type + " (expected: " + CT_NEW + ")");
        }
        var attributes = message.duplicate().order(ByteOrder.nativeOrder());
        attributes.position(NLMSG_HEADER_BYTES + NFGENMSG_BYTES);
        var original = find(attributes, CTA_TUPLE_ORIG);
        var ip = original == null ? null : find(original.duplicate().order(ByteOrder.nativeOrder()), CTA_TUPLE_IP);
        var protocol = original == null ? null : find(original, CTA_TUPLE_PROTO);
        if (ip == null || protocol == null) {
            throw new IOException("conntrack: an entry without the addresses it was made for");
        }
        var v4 = find(ip.duplicate().order(ByteOrder.nativeOrder()), CTA_IP_V4_DST);
        var address = v4 != null ? v4 : find(ip, CTA_IP_V6_DST);
        var port = find(protocol, CTA_PROTO_DST_PORT);
        if (address == null || port == null || port.remaining() < 2) {
            throw new IOException("conntrack: an entry without destination");
        }
        byte[] bytes = new byte[address.remaining()];
        address.get(bytes);
        return Optional.of(new InetSocketAddress(
                addressOf(bytes),
                Short.toUnsignedInt(port.order(ByteOrder.BIG_ENDIAN).getShort())));
    }

    private static InetAddress addressOf(byte[] bytes) throws IOException {
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IOException("conntrack: an address of " + bytes.length + " bytes", e);
        }
    }

    /// The value of the first attribute of a type; moves the position of `in`.
    private static @Nullable ByteBuffer find(ByteBuffer in, short type) {
        while (in.remaining() >= ATTRIBUTE_HEADER_BYTES) {
            int start = in.position();
            int length = Short.toUnsignedInt(in.getShort());
            int found = in.getShort() & TYPE_MASK;
            if (length < ATTRIBUTE_HEADER_BYTES || length > in.limit() - start) {
                return null;
            }
            if (found == type) {
                return in.slice(start + ATTRIBUTE_HEADER_BYTES, length - ATTRIBUTE_HEADER_BYTES)
                        .order(ByteOrder.nativeOrder());
            }
            in.position(Math.min(in.limit(), start + (length + 3) / 4 * 4));
        }
        return null;
    }

    @Override
    public void close() {
        socket.close();
    }
}
