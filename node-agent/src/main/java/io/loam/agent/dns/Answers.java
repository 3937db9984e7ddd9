package io.loam.agent.dns;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;

/// Writes the answers that are ours (wire reference, section 9). The question is repeated byte by byte, since
/// clients compare it, and names are pointers where they can be (RFC 1035, 4.1.4): 28 addresses fit into 512
/// bytes instead of eight.
///
/// The buffers that are returned belong to the caller.
final class Answers {
    /// Wire reference, section 9.
    static final int TTL_SECONDS = 30;

    private static final int AUTHORITATIVE = 0x0400;
    private static final int TRUNCATED = 0x0200;
    private static final int RECURSION_AVAILABLE = 0x0080;
    private static final int POINTER = 0xc000;
    private static final int OPT_BYTES = 11;
    private static final int BADVERS = 16;

    /// Of a record whose name is a pointer, without its data.
    private static final int RECORD_BYTES = 12;

    private Answers() {}

    /// @param message the query
    /// @param alias the name that the addresses belong to, or "" for the name in the question
    /// @param addresses of the family that was asked for; may be empty
    /// @param limitBytes what the client takes. What does not fit is left out, and over UDP the answer says so
    static ByteBuf addresses(
            ByteBufAllocator allocator,
            QueryMessage query,
            ByteBuf message,
            String alias,
            List<InetAddress> addresses,
            int limitBytes,
            Transport transport) {
        var out = allocator.buffer(Math.min(limitBytes, 512));
        begin(out, query, message);
        int answers = 0;
        int owner = POINTER | QueryMessage.HEADER_BYTES;
        if (!alias.isEmpty()) {
            record(out, owner, DnsRecordType.CNAME);
            out.writeShort(alias.length() + 2);
            owner = POINTER | out.writerIndex();
            writeName(out, alias);
            answers++;
        }
        int room = limitBytes - (query.edns() ? OPT_BYTES : 0);
        boolean all = true;
        for (var address : addresses) {
            byte[] bytes = address.getAddress();
            if (out.writerIndex() + RECORD_BYTES + bytes.length > room) {
                all = false;
                break;
            }
            record(out, owner, bytes.length == 4 ? DnsRecordType.A : DnsRecordType.AAAA);
            out.writeShort(bytes.length).writeBytes(bytes);
            answers++;
        }
        int flags = AUTHORITATIVE | (all || transport == Transport.TCP ? 0 : TRUNCATED);
        end(out, query, flags, answers, DnsResponseCode.NOERROR.intValue());
        return out;
    }

    /// An answer without records that says why.
    ///
    /// @param code of the response; BADVERS needs that the query has an OPT record
    static ByteBuf error(ByteBufAllocator allocator, QueryMessage query, ByteBuf message, DnsResponseCode code) {
        var out = allocator.buffer(query.questionEnd() + OPT_BYTES);
        begin(out, query, message);
        end(out, query, 0, 0, code.intValue());
        return out;
    }

    /// The answer to a message of which only the header can be read, without its question.
    ///
    /// @param message at least a header
    static ByteBuf error(ByteBufAllocator allocator, ByteBuf message, DnsResponseCode code) {
        int flags = message.getUnsignedShort(message.readerIndex() + 2);
        var out = allocator.buffer(QueryMessage.HEADER_BYTES);
        out.writeShort(message.getUnsignedShort(message.readerIndex()));
        out.writeShort(responseFlags(flags) | code.intValue());
        return out.writeZero(QueryMessage.HEADER_BYTES - 4);
    }

    private static int responseFlags(int queryFlags) {
        return QueryMessage.RESPONSE
                | (QueryMessage.opcode(queryFlags) << 11)
                | (queryFlags & (QueryMessage.RECURSION_DESIRED | QueryMessage.CHECKING_DISABLED))
                | RECURSION_AVAILABLE; // other names are passed on to somebody who has it
    }

    private static void begin(ByteBuf out, QueryMessage query, ByteBuf message) {
        out.writeShort(query.id())
                .writeShort(0) // flags, comes last
                .writeShort(1)
                .writeShort(0) // answers, comes last
                .writeShort(0)
                .writeShort(query.edns() ? 1 : 0);
        out.writeBytes(
                message,
                message.readerIndex() + QueryMessage.HEADER_BYTES,
                query.questionEnd() - QueryMessage.HEADER_BYTES);
    }

    private static void end(ByteBuf out, QueryMessage query, int flags, int answers, int code) {
        out.setShort(2, responseFlags(query.flags()) | flags | (code & 0xf));
        out.setShort(6, answers);
        if (query.edns()) { // RFC 6891, 6.1.1: who asks with an OPT record gets one
            out.writeByte(0)
                    .writeShort(DnsRecordType.OPT.intValue())
                    .writeShort(Forwarder.MOST_DATAGRAM_BYTES)
                    .writeByte(code >>> 4)
                    .writeByte(0)
                    .writeShort(query.dnssecOk() ? 0x8000 : 0)
                    .writeShort(0);
        }
    }

    static DnsResponseCode badVersion() {
        return DnsResponseCode.valueOf(BADVERS);
    }

    private static void record(ByteBuf out, int owner, DnsRecordType type) {
        out.writeShort(owner)
                .writeShort(type.intValue())
                .writeShort(QueryMessage.IN)
                .writeInt(TTL_SECONDS);
    }

    /// @param name of labels of 1 to 63 bytes, as names that were found are
    private static void writeName(ByteBuf out, String name) {
        int start = 0;
        while (start < name.length()) {
            int dot = name.indexOf('.', start);
            int end = dot < 0 ? name.length() : dot;
            out.writeByte(end - start);
            out.writeCharSequence(name.substring(start, end), StandardCharsets.ISO_8859_1);
            start = end + 1;
        }
        out.writeByte(0);
    }
}
