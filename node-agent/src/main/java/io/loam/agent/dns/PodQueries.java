package io.loam.agent.dns;

import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.EgressRule;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.dns.AddressFamily;
import io.loam.model.dns.NameAnswer;
import io.loam.model.workload.Workload;
import io.netty.buffer.ByteBuf;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Answers the queries of one pod that come on one event loop (wire reference, section 9). The methods stand in
/// the order in which they run:
///
/// 1. {@link #handle}: is it a query? 2. `onClient`: does the mesh know the name? 3. `forward`, if not: whom
/// did the program ask, and is there room?
///
/// Every query ends in one answer, or in none where an answer could do harm; every refusal is counted with its
/// reason.
final class PodQueries {
    private static final Logger log = LoggerFactory.getLogger(PodQueries.class);
    private static final int DNS_PORT = 53;

    private final LocalPod pod;
    private final DnsServices services;
    private final InFlight podLimit;
    private final EventLoop loop;
    private final Forwarding forwarding;

    /// Queries of this loop that wait.
    private int waiting;

    private @Nullable Runnable idle;

    /// @param podLimit the pod's queries that wait, on all loops
    PodQueries(LocalPod pod, DnsServices services, InFlight podLimit, EventLoop loop, Forwarding forwarding) {
        this.pod = pod;
        this.services = services;
        this.podLimit = podLimit;
        this.loop = loop;
        this.forwarding = forwarding;
    }

    /// @param message stays the caller's
    void handle(ByteBuf message, Asker asker) {
        int start = message.readerIndex();
        if (message.readableBytes() < QueryMessage.HEADER_BYTES) {
            refused(Refusal.MALFORMED, asker.transport(), message.readableBytes() + " bytes");
            asker.drop();
            return;
        }
        int flags = message.getUnsignedShort(start + 2);
        if ((flags & QueryMessage.RESPONSE) != 0) {
            refused(Refusal.NOT_A_QUERY, asker.transport(), "the message is an answer");
            asker.drop();
            return;
        }
        if (QueryMessage.opcode(flags) != 0) {
            refused(Refusal.OPERATION, asker.transport(), "operation " + QueryMessage.opcode(flags));
            asker.answer(Answers.error(asker.allocator(), message, DnsResponseCode.NOTIMP));
            return;
        }
        QueryMessage query;
        try {
            query = QueryMessage.read(message);
        } catch (MalformedQueryException e) {
            refused(Refusal.MALFORMED, asker.transport(), String.valueOf(e.getMessage()));
            asker.answer(Answers.error(asker.allocator(), message, DnsResponseCode.FORMERR));
            return;
        }
        if (query.ednsVersion() != 0) {
            refused(Refusal.EDNS_VERSION, asker.transport(), "EDNS version " + query.ednsVersion());
            asker.answer(Answers.error(asker.allocator(), query, message, Answers.badVersion()));
            return;
        }
        var client = pod.workload(services.mesh.current());
        if (client == null) {
            awaitClient(query, message, asker);
        } else {
            onClient(query, message, asker, client);
        }
    }

    /// The control plane may not have told us of a pod that has just started.
    private void awaitClient(QueryMessage query, ByteBuf message, Asker asker) {
        var full = enter();
        if (full != null) {
            services.metrics.request(query.type(), asker.transport(), null);
            serverFailure(query, message, asker, full, "");
            return;
        }
        var kept = message.retain();
        services.workloads.await(pod, loop, client -> {
            leave();
            try {
                if (client == null) {
                    services.metrics.request(query.type(), asker.transport(), null);
                    serverFailure(query, kept, asker, Refusal.UNKNOWN_SOURCE, "pod " + pod + " is not known yet");
                } else {
                    onClient(query, kept, asker, client);
                }
            } catch (RuntimeException | Error e) { // nobody above us knows that somebody waits for an answer
                bug(asker.transport(), e);
                asker.drop();
            } finally {
                kept.release();
            }
        });
    }

    private void onClient(QueryMessage query, ByteBuf message, Asker asker, Workload client) {
        services.metrics.request(query.type(), asker.transport(), client);
        var family = familyOf(query);
        if (family == null) {
            forward(query, message, asker, client);
            return;
        }
        switch (services.resolver.resolve(services.mesh.current(), client, query.name(), family, services.random)) {
            case NameAnswer.Addresses(var alias, var addresses) -> answer(query, message, asker, alias, addresses);
            case NameAnswer.NoData _ -> answer(query, message, asker, "", List.of());
            case NameAnswer.NotOurs _ -> forward(query, message, asker, client);
        }
    }

    private static @Nullable AddressFamily familyOf(QueryMessage query) {
        if (query.dnsClass() != QueryMessage.IN) {
            return null;
        }
        if (query.type() == DnsRecordType.A.intValue()) {
            return AddressFamily.IPV4;
        }
        return query.type() == DnsRecordType.AAAA.intValue() ? AddressFamily.IPV6 : null;
    }

    private static void answer(
            QueryMessage query, ByteBuf message, Asker asker, String alias, List<InetAddress> addresses) {
        asker.answer(Answers.addresses(
                asker.allocator(), query, message, alias, addresses, asker.limitBytes(query), asker.transport()));
    }

    private void forward(QueryMessage query, ByteBuf message, Asker asker, Workload client) {
        if (!EgressRule.permitsName(services.mesh.current(), client, query.name())) {
            if (isKnown(query, client)) { // by a short form, say, and asked for other records than addresses
                answer(query, message, asker, "", List.of());
                return;
            }
            refused(Refusal.EGRESS, asker.transport(), query.name());
            asker.answer(Answers.error(asker.allocator(), query, message, DnsResponseCode.NXDOMAIN));
            return;
        }
        var full = enter();
        if (full != null) {
            serverFailure(query, message, asker, full, "");
            return;
        }
        var resolvers = resolvers(asker);
        if (resolvers.isEmpty()) {
            leave();
            serverFailure(query, message, asker, Refusal.NO_RESOLVER, "");
            return;
        }
        if (!services.limits.takeSocket(pod)) {
            leave();
            serverFailure(query, message, asker, Refusal.SOCKET_LIMIT, "");
            return;
        }
        pod.retain();
        var waiting = new Waiting(query, message.retain(), asker, client);
        try {
            services.metrics.forwarded(query.type(), asker.transport(), client);
            forwarding.forward(query, message.retain(), resolvers, asker.transport(), waiting);
        } catch (RuntimeException | Error e) {
            waiting.failedByBug(e);
        }
    }

    /// One query that a resolver was asked. Holds a place among those that wait, a socket of the pod, the pod
    /// and the query, from the beginning to its one end, whatever goes wrong at either.
    private final class Waiting implements Forwarding.Listener {
        private final QueryMessage query;
        private final ByteBuf message; // for the question of an answer of ours
        private final Asker asker;
        private final Workload client;
        private final long startedNanos = System.nanoTime();
        private boolean over;

        /// @param message taken over
        Waiting(QueryMessage query, ByteBuf message, Asker asker, Workload client) {
            this.query = query;
            this.message = message;
            this.asker = asker;
            this.client = client;
        }

        @Override
        public void answered(ByteBuf answer) {
            end(true, () -> {
                boolean handedOn = false;
                try {
                    doNotDenyWhatIsKnown(query, client, answer);
                    handedOn = true;
                } finally {
                    if (!handedOn) {
                        answer.release();
                    }
                }
                asker.answer(answer);
            });
        }

        @Override
        public void failed(Refusal reason, String detail) {
            end(false, () -> serverFailure(query, message, asker, reason, detail));
        }

        @Override
        public void foreign(InetSocketAddress resolver) {
            refused(Refusal.FOREIGN_ANSWER, asker.transport(), Forwarder.text(resolver));
        }

        void failedByBug(Throwable cause) {
            end(false, () -> {
                bug(asker.transport(), cause);
                asker.drop();
            });
        }

        private void end(boolean answered, Runnable say) {
            if (over) {
                return;
            }
            over = true;
            services.limits.giveSocket(pod);
            try {
                services.metrics.forwardedEnd(
                        query.type(), asker.transport(), client, answered, System.nanoTime() - startedNanos);
                say.run();
            } catch (RuntimeException | Error e) {
                bug(asker.transport(), e);
                asker.drop();
            } finally {
                leave();
                message.release();
                pod.release();
            }
        }
    }

    /// Whom the program asked, if the kernel tells. A program that talks to the proxy itself asked nobody else.
    private List<InetSocketAddress> resolvers(Asker asker) {
        var original = asker.originalDestination();
        if (original != null && original.getPort() != ProxyPorts.DNS) {
            return List.of(original);
        }
        return services.config.resolvers().stream()
                .map(address -> new InetSocketAddress(address, DNS_PORT))
                .toList();
    }

    /// A name that has addresses here exists. A resolver that does not know it says so about the whole name,
    /// when it is asked for a type that is not ours, and clients believe it for all types (RFC 8020).
    private void doNotDenyWhatIsKnown(QueryMessage query, Workload client, ByteBuf answer) {
        int at = answer.readerIndex() + 2;
        int flags = answer.getUnsignedShort(at);
        if ((flags & 0xf) == DnsResponseCode.NXDOMAIN.intValue() && isKnown(query, client)) {
            answer.setShort(at, flags & ~0xf);
        }
    }

    private boolean isKnown(QueryMessage query, Workload client) {
        return query.dnsClass() == QueryMessage.IN
                && services.resolver.knows(services.mesh.current(), client, query.name());
    }

    private @Nullable Refusal enter() {
        var full = podLimit.enter();
        if (full != null) {
            return full;
        }
        full = services.node.enter();
        if (full != null) {
            podLimit.leave();
        } else {
            waiting++;
        }
        return full;
    }

    private void leave() {
        services.node.leave();
        podLimit.leave();
        waiting--;
        if (waiting == 0 && idle != null) {
            loop.execute(this::tellIdle); // the last answer may have to be flushed when a burst has been read
        }
    }

    /// Runs the task when none of the queries that came here waits any more: at once, or after the answer to
    /// the last one. For the end of the sockets, once.
    void whenIdle(Runnable task) {
        idle = task;
        tellIdle();
    }

    private void tellIdle() {
        var task = idle;
        if (waiting == 0 && task != null) {
            idle = null;
            task.run();
        }
    }

    private void serverFailure(QueryMessage query, ByteBuf message, Asker asker, Refusal reason, String detail) {
        refused(reason, asker.transport(), query.name() + ": " + detail);
        asker.answer(Answers.error(asker.allocator(), query, message, DnsResponseCode.SERVFAIL));
    }

    private void refused(Refusal reason, Transport transport, String detail) {
        services.metrics.refused(reason, transport);
        if (log.isDebugEnabled()) {
            log.debug(
                    "dns query refused pod={} reason={} protocol={} {}",
                    pod,
                    reason.label(),
                    transport.label(),
                    detail);
        }
    }

    /// An error in the proxy itself: the query is lost, nothing else.
    void bug(Transport transport, Throwable cause) {
        services.metrics.refused(Refusal.BUG, transport);
        log.error("dns query ended by a bug pod={}", pod, cause);
    }

    /// A socket of one of the pod's programs was accepted.
    ///
    /// @return whether the pod and the node may hold it; then {@link #giveSocket} has to follow, once
    boolean takeSocket() {
        return services.limits.takeSocket(pod);
    }

    void giveSocket() {
        services.limits.giveSocket(pod);
    }

    /// A connection or an answer that there is no room for.
    void refuse(Refusal reason, Transport transport) {
        refused(reason, transport, "");
    }
}
