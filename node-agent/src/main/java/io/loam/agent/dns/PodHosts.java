package io.loam.agent.dns;

import io.loam.agent.pod.LocalPod;
import io.loam.model.workload.Workload;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.handler.codec.dns.DnsRecordType;
import io.netty.handler.codec.dns.DnsResponseCode;
import io.netty.util.concurrent.Future;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Addresses of endpoints that are known by a host name only (wire reference, 3.2 and section 9): asked of the
/// resolvers of the configuration, from the pod's namespace, once for all connections of the pod and this loop
/// that wait for the name, and kept for as long as the answer says.
///
/// A for a pod with an IPv4 address, AAAA for one with an IPv6 address, both for one with both. Each is asked
/// over UDP, every resolver twice in turn, because nobody repeats a datagram for us; what does not fit is asked
/// for over TCP. When the time is over, what is there by then counts.
///
/// One per pod and event loop, as the pools of tunnels are: what a connection waits for stays on its loop.
/// Belongs to that loop.
public final class PodHosts implements HostLookup {
    private static final Logger log = LoggerFactory.getLogger(PodHosts.class);
    private static final int DNS_PORT = 53;

    /// Names at one time, those that are looked up among them. A mesh has some dozens of such endpoints; beyond
    /// it the one whose last use is longest ago is asked for anew.
    static final int MOST_NAMES = 512;

    /// An answer is not believed for longer, whatever it says, so that a mistake in a zone passes.
    static final long MOST_TTL_NANOS = TimeUnit.HOURS.toNanos(1);

    /// A name that does not exist may exist in a moment, as it is where services and their names are made
    /// together.
    static final long NEGATIVE_NANOS = TimeUnit.SECONDS.toNanos(5);

    /// Resolvers that do not answer are left alone for a moment; connections are refused at once meanwhile.
    static final long FAILURE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final LocalPod pod;
    private final HostServices services;
    private final EventLoop loop;
    private final Forwarding forwarding;
    private final LongSupplier nanoTime;
    private final List<InetSocketAddress> resolvers;

    /// By name, in the order of their last use.
    private final LinkedHashMap<String, Name> names = new LinkedHashMap<>(16, 0.75f, true);

    public PodHosts(LocalPod pod, HostServices services, EventLoop loop) {
        this(
                pod,
                services,
                loop,
                new Forwarder(pod.sockets(), loop, services.config().timeout().toNanos()),
                System::nanoTime);
    }

    /// @param nanoTime monotonic clock, for the age of answers
    PodHosts(LocalPod pod, HostServices services, EventLoop loop, Forwarding forwarding, LongSupplier nanoTime) {
        this.pod = pod;
        this.services = services;
        this.loop = loop;
        this.forwarding = forwarding;
        this.nanoTime = nanoTime;
        resolvers = services.config().resolvers().stream()
                .map(address -> new InetSocketAddress(address, DNS_PORT))
                .toList();
    }

    @Override
    public Runnable find(Workload source, String host, Listener next) {
        services.metrics().lookup(source, host);
        var name = names.get(host);
        if (name == null || name.isOver()) {
            if (name == null && !makeRoom()) {
                next.onAnswer(new Answer.NotFound(host + ": " + MOST_NAMES + " names are being looked up already"));
                return DONE;
            }
            name = new Name(host);
            names.put(host, name);
            name.ask(source);
        }
        var answer = name.answer;
        if (answer != null) {
            next.onAnswer(answer);
            return DONE;
        }
        return name.await(next);
    }

    /// Names that it keeps, those that are looked up among them.
    int size() {
        return names.size();
    }

    private boolean makeRoom() {
        if (names.size() < MOST_NAMES) {
            return true;
        }
        for (var each = names.values().iterator(); each.hasNext(); ) {
            if (each.next().answer != null) {
                each.remove();
                return true;
            }
        }
        return false;
    }

    private String said() {
        return " (asked "
                + String.join(", ", resolvers.stream().map(Forwarder::text).toList()) + ")";
    }

    /// One name, from its queries to the end of its answer's life.
    private final class Name {
        private final String host;
        private final Set<Waiter> waiters = new LinkedHashSet<>();
        private final List<InetAddress> addresses = new ArrayList<>();
        private long lifeNanos = MOST_TTL_NANOS;

        /// Queries without an answer.
        private int open;

        /// The name exists, whatever records it has.
        private boolean exists;

        /// Why there is no saying what the name has; "" if every resolver answered.
        private String failure = "";

        private @Nullable Future<?> deadline;
        private @Nullable Answer answer;
        private long endNanos;

        Name(String host) {
            this.host = host;
        }

        boolean isOver() {
            return answer != null && nanoTime.getAsLong() - endNanos >= 0;
        }

        Runnable await(Listener next) {
            var waiter = new Waiter(next);
            waiters.add(waiter);
            return () -> waiters.remove(waiter);
        }

        void ask(Workload source) {
            if (resolvers.isEmpty()) {
                failure = "no resolver is configured (LOAM_DNS_RESOLVERS)";
                end();
                return;
            }
            open++; // ours, so that an answer that comes at once does not end it before all is asked
            for (var type : types(source)) {
                ask(type, resolversTwice(), Transport.UDP);
            }
            open--;
            if (open == 0) {
                end();
            } else {
                long nanos = services.config().timeout().toNanos();
                deadline = loop.schedule(this::timeOut, nanos, TimeUnit.NANOSECONDS);
            }
        }

        private void timeOut() {
            if (answer == null) {
                failure = "no answer in " + services.config().timeout().toMillis() + " ms" + said();
                end();
            }
        }

        private void ask(DnsRecordType type, List<InetSocketAddress> whom, Transport transport) {
            if (!services.limits().takeSocket(pod)) {
                failure = "too many open sockets";
                return;
            }
            pod.retain();
            open++;
            var query = new Query(type, transport);
            try {
                query.send(whom);
            } catch (MalformedQueryException e) {
                query.failed(Refusal.MALFORMED, "not a host name: " + e.getMessage());
            } catch (RuntimeException | Error e) {
                query.bug(e);
            }
        }

        /// One answer more, or none.
        private void heard() {
            open--;
            if (open == 0 && answer == null) {
                end();
            }
        }

        private void end() {
            if (deadline != null) {
                deadline.cancel(false);
            }
            Answer found;
            if (!addresses.isEmpty()) {
                found = new Answer.Found(addresses);
            } else {
                boolean failed = !failure.isEmpty();
                lifeNanos = failed ? FAILURE_NANOS : NEGATIVE_NANOS;
                var reason = failed ? failure : (exists ? "no address" : "no such name") + said();
                found = new Answer.NotFound(host + ": " + reason);
            }
            answer = found;
            endNanos = nanoTime.getAsLong() + lifeNanos;
            for (var waiter : List.copyOf(waiters)) {
                if (waiters.remove(waiter)) { // unless the one before made it give up
                    tell(waiter.next, found);
                }
            }
        }

        private void tell(Listener next, Answer found) {
            try {
                next.onAnswer(found);
            } catch (RuntimeException | Error e) { // of one connection; the others wait for this answer as well
                log.error("who waited for the name met a bug pod={} host={}", pod, host, e);
            }
        }

        /// One query over one transport: holds a socket and the pod from {@link Name#ask} to its one end.
        private final class Query implements Forwarding.Listener {
            private final DnsRecordType type;
            private final Transport transport;
            private @Nullable QueryMessage message;
            private boolean over;

            Query(DnsRecordType type, Transport transport) {
                this.type = type;
                this.transport = transport;
            }

            void send(List<InetSocketAddress> whom) throws MalformedQueryException {
                int id = services.random().nextInt(1 << 16);
                var bytes = QueryMessage.write(ByteBufAllocator.DEFAULT, id, host, type);
                try {
                    message = QueryMessage.read(bytes);
                } catch (MalformedQueryException e) {
                    bytes.release();
                    throw e;
                }
                forwarding.forward(message, bytes, whom, transport, this);
            }

            @Override
            public void answered(ByteBuf bytes) {
                try {
                    take(bytes);
                } catch (MalformedAnswerException e) {
                    fail("an answer that cannot be read: " + e.getMessage() + said());
                } catch (RuntimeException | Error e) {
                    logBug(e);
                } finally {
                    bytes.release();
                    end();
                }
            }

            private void take(ByteBuf bytes) throws MalformedAnswerException {
                if (over || message == null || answer != null) {
                    return;
                }
                var read = AnswerMessage.read(bytes, message);
                if (read.truncated() && transport == Transport.UDP) {
                    ask(type, resolvers, Transport.TCP);
                } else if (read.code() == DnsResponseCode.NOERROR.intValue()) {
                    exists = true;
                    addresses.addAll(read.addresses());
                    if (!read.addresses().isEmpty()) {
                        lifeNanos = Math.min(lifeNanos, TimeUnit.SECONDS.toNanos(read.ttlSeconds()));
                    }
                } else if (read.code() != DnsResponseCode.NXDOMAIN.intValue()) {
                    fail(DnsResponseCode.valueOf(read.code()) + said());
                }
            }

            @Override
            public void failed(Refusal reason, String detail) {
                fail(detail);
                end();
            }

            /// Whoever answers to our port and is not the resolver: not worth a line each.
            @Override
            public void foreign(InetSocketAddress resolver) {
                log.debug("foreign answer pod={} host={} resolver={}", pod, host, resolver);
            }

            void bug(Throwable cause) {
                logBug(cause);
                end();
            }

            private void logBug(Throwable cause) {
                log.error("lookup ended by a bug pod={} host={}", pod, host, cause);
                fail(String.valueOf(cause));
            }

            private void fail(String what) {
                if (!over && answer == null) {
                    failure = what;
                }
            }

            private void end() {
                if (!over) {
                    over = true;
                    services.limits().giveSocket(pod);
                    pod.release();
                    heard();
                }
            }
        }
    }

    /// Compared by identity: one connection may not be told twice, but two may be alike.
    private static final class Waiter {
        private final Listener next;

        Waiter(Listener next) {
            this.next = next;
        }
    }

    private List<InetSocketAddress> resolversTwice() {
        var twice = new ArrayList<>(resolvers);
        twice.addAll(resolvers);
        return twice;
    }

    private static List<DnsRecordType> types(Workload source) {
        boolean ipv4 = source.addresses().stream().anyMatch(Inet4Address.class::isInstance);
        boolean ipv6 = source.addresses().stream().anyMatch(address -> !(address instanceof Inet4Address));
        if (ipv4 == ipv6) {
            return List.of(DnsRecordType.A, DnsRecordType.AAAA);
        }
        return List.of(ipv4 ? DnsRecordType.A : DnsRecordType.AAAA);
    }
}
