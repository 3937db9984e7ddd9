package io.loam.lab.dns;

import io.loam.lab.dns.DnsView.Addresses;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.dns.DefaultDnsRawRecord;
import io.netty.handler.codec.dns.DnsOpCode;
import io.netty.handler.codec.dns.DnsQuery;
import io.netty.handler.codec.dns.DnsQuestion;
import io.netty.handler.codec.dns.DnsRecord;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponse;
import io.netty.handler.codec.dns.DnsResponseCode;
import io.netty.handler.codec.dns.DnsSection;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ThreadLocalRandom;

/// Fills in the answer to one query; the same for UDP and TCP.
final class DnsAnswers {
    /// Pods come and go by the second in a lab.
    private static final int TTL_SECONDS = 5;

    private DnsAnswers() {}

    /// @param answer without records yet
    /// @param maxAddresses more are left out, and the answer says so (the client then asks over TCP)
    static <R extends DnsResponse> R fill(R answer, DnsQuery query, DnsView view, int maxAddresses) {
        answer.setRecursionDesired(query.isRecursionDesired());
        answer.setRecursionAvailable(true); // otherwise resolvers complain; there is nothing above to recurse to
        if (!query.opCode().equals(DnsOpCode.QUERY)) {
            answer.setCode(DnsResponseCode.NOTIMP);
            return answer;
        }
        if (query.count(DnsSection.QUESTION) != 1) {
            answer.setCode(DnsResponseCode.FORMERR);
            return answer;
        }
        DnsQuestion question = query.recordAt(DnsSection.QUESTION);
        answer.addRecord(DnsSection.QUESTION, question);
        answer.setAuthoritativeAnswer(true);
        var found = view.find(question.name());
        if (found == null) {
            answer.setCode(DnsResponseCode.NXDOMAIN);
            return answer;
        }
        var addresses = ofType(found, question.type()); // a known name without such a record: no error, no answer
        var shuffled = new ArrayList<>(addresses);
        Collections.shuffle(shuffled, ThreadLocalRandom.current());
        for (var address : shuffled.subList(0, Math.min(maxAddresses, shuffled.size()))) {
            answer.addRecord(
                    DnsSection.ANSWER,
                    new DefaultDnsRawRecord(
                            question.name(),
                            question.type(),
                            DnsRecord.CLASS_IN,
                            TTL_SECONDS,
                            Unpooled.wrappedBuffer(address.getAddress())));
        }
        answer.setTruncated(shuffled.size() > maxAddresses);
        return answer;
    }

    private static List<? extends InetAddress> ofType(Addresses found, DnsRecordType type) {
        if (type.equals(DnsRecordType.A)) {
            return found.v4();
        }
        return type.equals(DnsRecordType.AAAA) ? found.v6() : List.of();
    }
}
