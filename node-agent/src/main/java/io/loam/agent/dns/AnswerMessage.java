package io.loam.agent.dns;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.dns.DnsRecordType;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;

/// What a resolver says about one question for addresses (RFC 1035, 4.1). Only the answers are read: what
/// follows them is not needed, and what is not read cannot be wrong.
///
/// Bounds: {@link #MOST_RECORDS} answers, {@link #MOST_ALIASES} aliases behind each other, names of 255 bytes,
/// pointers that go backwards. Netty's decoder is not used for the reasons that {@link QueryMessage} gives.
///
/// @param code of the response, 0 to 15
/// @param truncated whether there is more, to be asked for over TCP; then `addresses` is empty
/// @param addresses those of the name that was asked for, or of the last of its aliases; may be empty
/// @param ttlSeconds how long that holds, the least of all records that lead there, 0 to 2^31 - 1; 0 without
///     addresses
record AnswerMessage(int code, boolean truncated, List<InetAddress> addresses, int ttlSeconds) {
    /// More than any name's addresses that one would want to keep; the largest known pools answer with some
    /// dozens.
    static final int MOST_RECORDS = 256;

    /// As many as common resolvers follow.
    static final int MOST_ALIASES = 16;

    private static final int TRUNCATED = 0x0200;
    private static final int CODE = 0xf;

    /// A record that was read, with its owner as the message has it, in lower case.
    private record Address(String owner, InetAddress address, int ttlSeconds) {}

    private record Alias(String name, int ttlSeconds) {}

    AnswerMessage {
        addresses = List.copyOf(addresses);
    }

    /// @param message any bytes; its indexes are left alone
    /// @param query what was asked: a type A or AAAA, class IN
    /// @throws MalformedAnswerException with what was expected
    static AnswerMessage read(ByteBuf message, QueryMessage query) throws MalformedAnswerException {
        var in = message.slice(); // offsets count from the beginning of the message
        if (in.readableBytes() < QueryMessage.HEADER_BYTES) {
            throw new MalformedAnswerException(
                    in.readableBytes() + " bytes (expected: at least " + QueryMessage.HEADER_BYTES + ")");
        }
        int id = in.readUnsignedShort();
        int flags = in.readUnsignedShort();
        if (id != query.id() || (flags & QueryMessage.RESPONSE) == 0) {
            throw new MalformedAnswerException("no answer to the query");
        }
        int code = flags & CODE;
        if (code != 0 || (flags & TRUNCATED) != 0) { // of these nothing is used, and some servers leave the rest out
            return new AnswerMessage(code, code == 0, List.of(), 0);
        }
        int questions = in.readUnsignedShort();
        int answers = in.readUnsignedShort();
        in.skipBytes(4); // how many records follow the answers
        if (questions != 1) {
            throw new MalformedAnswerException(questions + " questions (expected: 1)");
        }
        if (answers > MOST_RECORDS) {
            throw new MalformedAnswerException(answers + " answers (expected: at most " + MOST_RECORDS + ")");
        }
        var name = readName(in);
        require(in, 4, "the question");
        if (!name.equals(query.name())
                || in.readUnsignedShort() != query.type()
                || in.readUnsignedShort() != QueryMessage.IN) {
            throw new MalformedAnswerException("another question than the query's");
        }
        return records(in, answers, query, code);
    }

    private static AnswerMessage records(ByteBuf in, int answers, QueryMessage query, int code)
            throws MalformedAnswerException {
        var found = new ArrayList<Address>();
        var aliases = new HashMap<String, Alias>();
        for (int i = 0; i < answers; i++) {
            var owner = readName(in);
            require(in, 10, "a record");
            int type = in.readUnsignedShort();
            int dnsClass = in.readUnsignedShort();
            int ttl = Math.max(0, in.readInt()); // RFC 2181, 8: with the highest bit it is 0
            int length = in.readUnsignedShort();
            require(in, length, "data of a record");
            int end = in.readerIndex() + length;
            if (dnsClass == QueryMessage.IN && type == query.type()) {
                found.add(new Address(owner, address(in, type, length), ttl));
            } else if (dnsClass == QueryMessage.IN && type == DnsRecordType.CNAME.intValue()) {
                var target = readName(in);
                if (in.readerIndex() != end) {
                    throw new MalformedAnswerException("an alias of " + length + " bytes that ends elsewhere");
                }
                if (aliases.put(owner, new Alias(target, ttl)) != null) {
                    throw new MalformedAnswerException("two aliases of one name"); // RFC 2181, 10.1
                }
            }
            in.readerIndex(end);
        }
        return followed(query.name(), found, aliases, code);
    }

    /// Records may stand in any order.
    private static AnswerMessage followed(String asked, List<Address> found, HashMap<String, Alias> aliases, int code)
            throws MalformedAnswerException {
        var name = asked;
        int ttl = Integer.MAX_VALUE;
        for (int followed = 0; ; followed++) {
            var alias = aliases.get(name);
            if (alias == null) {
                break;
            }
            if (followed == MOST_ALIASES) {
                throw new MalformedAnswerException("aliases lead in a circle, or over more than " + MOST_ALIASES);
            }
            name = alias.name;
            ttl = Math.min(ttl, alias.ttlSeconds);
        }
        var addresses = new ArrayList<InetAddress>();
        for (var record : found) {
            if (record.owner.equals(name)) {
                addresses.add(record.address);
                ttl = Math.min(ttl, record.ttlSeconds);
            }
        }
        return new AnswerMessage(code, false, addresses, addresses.isEmpty() ? 0 : ttl);
    }

    private static InetAddress address(ByteBuf in, int type, int length) throws MalformedAnswerException {
        int expected = type == DnsRecordType.A.intValue() ? 4 : 16;
        if (length != expected) {
            throw new MalformedAnswerException("an address of " + length + " bytes (expected: " + expected + ")");
        }
        var bytes = new byte[length];
        in.readBytes(bytes);
        try {
            return InetAddress.getByAddress(bytes);
        } catch (UnknownHostException e) {
            throw new IllegalStateException("4 and 16 bytes are addresses", e);
        }
    }

    /// Reads on behind the name, wherever its pointers lead (RFC 1035, 4.1.4). A pointer has to lead in front
    /// of all that was read of the name before, so that none leads in a circle.
    ///
    /// @return in lower case, without the final dot
    private static String readName(ByteBuf in) throws MalformedAnswerException {
        var name = new StringBuilder(64);
        int at = in.readerIndex();
        int before = at;
        int behind = -1;
        int bytes = 1; // of the root
        while (true) {
            int length = byteAt(in, at);
            if (length > QueryMessage.LONGEST_LABEL_BYTES) {
                if (length < 0xc0) {
                    throw new MalformedAnswerException("a label of " + length + " (expected: at most 63)");
                }
                int target = (length & 0x3f) << 8 | byteAt(in, at + 1);
                if (target >= before || target < QueryMessage.HEADER_BYTES) {
                    throw new MalformedAnswerException("a pointer to " + target + " (expected: "
                            + QueryMessage.HEADER_BYTES + " to " + (before - 1) + ")");
                }
                behind = behind < 0 ? at + 2 : behind;
                before = target;
                at = target;
                continue;
            }
            if (length == 0) {
                in.readerIndex(behind < 0 ? at + 1 : behind);
                return name.toString();
            }
            bytes += length + 1;
            if (bytes > QueryMessage.LONGEST_NAME_BYTES) {
                throw new MalformedAnswerException("a name longer than " + QueryMessage.LONGEST_NAME_BYTES + " bytes");
            }
            if (!name.isEmpty()) {
                name.append('.');
            }
            for (int i = at + 1; i <= at + length; i++) {
                char c = (char) byteAt(in, i);
                if (c == '.') { // two different names would look the same
                    throw new MalformedAnswerException("a label with a dot");
                }
                name.append(c >= 'A' && c <= 'Z' ? (char) (c + ('a' - 'A')) : c); // RFC 4343
            }
            at += length + 1;
        }
    }

    private static int byteAt(ByteBuf in, int at) throws MalformedAnswerException {
        if (at >= in.writerIndex()) {
            throw new MalformedAnswerException("the message ends inside a name");
        }
        return in.getUnsignedByte(at);
    }

    private static void require(ByteBuf in, int bytes, String what) throws MalformedAnswerException {
        if (in.readableBytes() < bytes) {
            throw new MalformedAnswerException("the message ends inside " + what);
        }
    }
}
