package io.loam.agent.dns;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.codec.dns.DnsRecordType;
import java.nio.charset.StandardCharsets;

/// What has to be known of a query to answer it or to pass it on (RFC 1035, 4.1; RFC 6891).
///
/// The message itself is passed on as it came, so records are looked at only as far as they have to be
/// well-formed. Netty's decoder is not used for that: it expands names inside the records it knows and leaves
/// pointers in those it does not, so a message that went through it would not come out whole; and it accepts
/// names that end with the message.
///
/// @param id of the message, 0 to 65535
/// @param flags the 16 bits after it
/// @param name in lower case, without the final dot; bytes that are no letters, digits or `-_*` stand as they
///     are, one character each
/// @param type of the records asked for
/// @param dnsClass 1 for the Internet
/// @param questionEnd offset behind the question, the only one
/// @param edns whether there is an OPT record
/// @param ednsVersion of it; 0 without
/// @param dnssecOk the DO bit of it
/// @param payloadBytes what the client takes in one datagram, at least 512
/// @param payloadAt offset of that number in the message; 0 without OPT record
record QueryMessage(
        int id,
        int flags,
        String name,
        int type,
        int dnsClass,
        int questionEnd,
        boolean edns,
        int ednsVersion,
        boolean dnssecOk,
        int payloadBytes,
        int payloadAt) {
    static final int HEADER_BYTES = 12;
    static final int RESPONSE = 0x8000;
    static final int RECURSION_DESIRED = 0x0100;
    static final int CHECKING_DISABLED = 0x0010;
    static final int IN = 1;

    /// RFC 1035, 4.2.1: what everybody takes.
    static final int LEAST_PAYLOAD_BYTES = 512;

    static final int LONGEST_NAME_BYTES = 255;
    static final int LONGEST_LABEL_BYTES = 63;
    private static final int DNSSEC_OK = 0x8000;

    /// Of type, class, TTL and length of data.
    private static final int RECORD_HEADER_BYTES = 10;

    /// @param message at least a header; its indexes are left alone
    /// @throws MalformedQueryException with what was expected
    static QueryMessage read(ByteBuf message) throws MalformedQueryException {
        var in = message.slice(); // offsets count from the beginning of the message
        if (in.readableBytes() < HEADER_BYTES) {
            throw new MalformedQueryException(in.readableBytes() + " bytes (expected: at least " + HEADER_BYTES + ")");
        }
        int id = in.readUnsignedShort();
        int flags = in.readUnsignedShort();
        int questions = in.readUnsignedShort();
        int records = in.readUnsignedShort() + in.readUnsignedShort() + in.readUnsignedShort();
        if (questions != 1) {
            throw new MalformedQueryException(questions + " questions (expected: 1)");
        }
        var name = readName(in);
        require(in, 4, "type and class of the question");
        int type = in.readUnsignedShort();
        int dnsClass = in.readUnsignedShort();
        int questionEnd = in.readerIndex();
        boolean edns = false;
        int version = 0;
        boolean dnssecOk = false;
        int payload = LEAST_PAYLOAD_BYTES;
        int payloadAt = 0;
        for (int i = 0; i < records; i++) {
            boolean root = skipName(in);
            require(in, RECORD_HEADER_BYTES, "a record");
            int recordType = in.readUnsignedShort();
            if (recordType == DnsRecordType.OPT.intValue()) {
                if (edns || !root) {
                    throw new MalformedQueryException("OPT record (expected: one, of the root)");
                }
                edns = true;
                payloadAt = in.readerIndex();
                payload = Math.max(LEAST_PAYLOAD_BYTES, in.readUnsignedShort());
                in.skipBytes(1); // the upper bits of a response code
                version = in.readUnsignedByte();
                dnssecOk = (in.readUnsignedShort() & DNSSEC_OK) != 0;
            } else {
                in.skipBytes(6);
            }
            int length = in.readUnsignedShort();
            require(in, length, "data of a record");
            in.skipBytes(length);
        }
        if (in.isReadable()) {
            throw new MalformedQueryException(in.readableBytes() + " bytes after the last record");
        }
        return new QueryMessage(
                id, flags, name, type, dnsClass, questionEnd, edns, version, dnssecOk, payload, payloadAt);
    }

    /// A query of our own for one name, which asks for recursion.
    ///
    /// @param id 0 to 65535
    /// @param name a host name, with or without the final dot
    /// @return a message that {@link #read} reads; the caller's
    /// @throws MalformedQueryException if DNS cannot ask for the name: a label that is empty or longer than 63
    ///     bytes, more than 255 bytes, characters beyond ASCII
    static ByteBuf write(ByteBufAllocator allocator, int id, String name, DnsRecordType type)
            throws MalformedQueryException {
        var labels = (name.endsWith(".") ? name.substring(0, name.length() - 1) : name).split("\\.", -1);
        int bytes = 1;
        for (var label : labels) {
            bytes += label.length() + 1;
            if (label.isEmpty() || label.length() > LONGEST_LABEL_BYTES || !isAscii(label)) {
                throw new MalformedQueryException("label \"" + label + "\" (expected: 1 to 63 characters of ASCII)");
            }
        }
        if (bytes > LONGEST_NAME_BYTES) {
            throw new MalformedQueryException("a name longer than " + LONGEST_NAME_BYTES + " bytes");
        }
        var out = allocator.buffer(HEADER_BYTES + bytes + 4);
        out.writeShort(id).writeShort(RECURSION_DESIRED).writeShort(1).writeZero(6);
        for (var label : labels) {
            out.writeByte(label.length());
            out.writeCharSequence(label, StandardCharsets.US_ASCII);
        }
        return out.writeByte(0).writeShort(type.intValue()).writeShort(IN);
    }

    private static boolean isAscii(String label) {
        return label.chars().allMatch(c -> c > ' ' && c < 0x7f);
    }

    int opcode() {
        return opcode(flags);
    }

    static int opcode(int flags) {
        return flags >>> 11 & 0xf;
    }

    /// The name in the question. It comes first, so that there is nothing a pointer could point to.
    private static String readName(ByteBuf in) throws MalformedQueryException {
        int start = in.readerIndex();
        var name = new StringBuilder(64);
        while (true) {
            require(in, 1, "a label");
            int length = in.readUnsignedByte();
            if (length == 0) {
                break;
            }
            if (length > LONGEST_LABEL_BYTES) {
                throw new MalformedQueryException("a label of " + length + " (expected: at most 63)");
            }
            require(in, length, "a label");
            if (!name.isEmpty()) {
                name.append('.');
            }
            name.append(in.toString(in.readerIndex(), length, StandardCharsets.ISO_8859_1));
            in.skipBytes(length);
            if (in.readerIndex() - start >= LONGEST_NAME_BYTES) {
                throw new MalformedQueryException("a name longer than " + LONGEST_NAME_BYTES + " bytes");
            }
        }
        for (int i = 0; i < name.length(); i++) { // RFC 4343: ASCII only, whatever the language
            char c = name.charAt(i);
            if (c >= 'A' && c <= 'Z') {
                name.setCharAt(i, (char) (c + ('a' - 'A')));
            }
        }
        return name.toString();
    }

    /// @return whether it is the root's
    private static boolean skipName(ByteBuf in) throws MalformedQueryException {
        int start = in.readerIndex();
        while (true) {
            require(in, 1, "a label");
            int length = in.readUnsignedByte();
            if (length == 0) {
                return in.readerIndex() == start + 1;
            }
            if (length >= 0xc0) {
                require(in, 1, "a pointer");
                in.skipBytes(1);
                return false;
            }
            if (length > LONGEST_LABEL_BYTES) {
                throw new MalformedQueryException("a label of " + length + " (expected: at most 63)");
            }
            require(in, length, "a label");
            in.skipBytes(length);
        }
    }

    private static void require(ByteBuf in, int bytes, String what) throws MalformedQueryException {
        if (in.readableBytes() < bytes) {
            throw new MalformedQueryException("the message ends inside " + what);
        }
    }
}
