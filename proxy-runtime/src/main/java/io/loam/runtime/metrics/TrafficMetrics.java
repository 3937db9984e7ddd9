package io.loam.runtime.metrics;

import io.loam.model.policy.DryRunFinding;
import io.loam.model.service.Service;
import io.prometheus.metrics.core.datapoints.GaugeDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.Collector;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import io.prometheus.metrics.model.snapshots.CounterSnapshot.CounterDataPointSnapshot;
import io.prometheus.metrics.model.snapshots.Labels;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// The connection counters (wire reference, 8.1). Their series are resolved once when a connection starts; afterwards
/// its event loop only adds to adders.
///
/// Not built from the library's counters: those have one set of label names for all series, and ours leave a locality
/// out that nobody knows; and a series must not be forgotten between the moment in which a connection finds it and the
/// one in which it counts. Each series therefore knows how many connections hold it, and dies only while none does.
public final class TrafficMetrics implements SeriesExpiry.Expiring {
    /// Pairs whose series are kept at hand; a node talks with fewer most of the time.
    private static final int MAX_PAIRS = 1024;

    /// Combinations of labels. Each takes up to 5 lines of 1 KB in a scrape, and some kilobytes of a heap of
    /// 48 MB. What exceeds them is counted without names.
    static final int MAX_SERIES = 2_000;

    private final Map<PairKey, Series> pairs = new ConcurrentHashMap<>();
    private final Map<List<String>, Series> series = new ConcurrentHashMap<>();
    private final Gauge sockets;
    private final Counter bugs;
    private final Counter dryRuns;
    private final Counter otherPeers;
    private final Counter folded;

    /// Dry-run policies that have series and are not in the mesh, and since when. Of the expiring thread.
    private final Map<String, Instant> policiesGone = new HashMap<>();

    public TrafficMetrics(PrometheusRegistry registry) {
        family(
                "istio_tcp_connections_opened",
                "TCP connections opened",
                registry,
                (one, out) -> out.add(FailureFlag.NONE, one.opened));
        family(
                "istio_tcp_connections_closed",
                "TCP connections closed, failed ones included",
                registry,
                (one, out) -> out.addEach(one.closed));
        family(
                "istio_tcp_connections_failed",
                "TCP connections that failed, by reason",
                registry,
                (one, out) -> out.addEach(one.failed));
        family("istio_tcp_received_bytes", "Bytes from client to server", registry, (one, out) -> {
            if (one.sockets != null) {
                out.add(FailureFlag.NONE, one.received);
            }
        });
        family("istio_tcp_sent_bytes", "Bytes from server to client", registry, (one, out) -> {
            if (one.sockets != null) {
                out.add(FailureFlag.NONE, one.sent);
            }
        });
        sockets = Gauge.builder()
                .name("istio_tcp_sockets_open")
                .help("Application sockets open now")
                .labelNames("reporter")
                .register(registry);
        bugs = Counter.builder()
                .name("loam_connection_bugs")
                .help("Connections ended by an error in the proxy itself")
                .register(registry);
        dryRuns = Counter.builder()
                .name("loam_policy_dry_run")
                .help("Connections to pods of this node that a dry-run policy would have allowed or denied")
                .labelNames("policy", "verdict")
                .register(registry);
        otherPeers = Counter.builder()
                .name("loam_peer_mismatches")
                .help("Connections whose peer proved another identity than expected, by what came of asking the mesh"
                        + " again: another peer was tried, or there was none")
                .labelNames("then")
                .register(registry);
        folded = Counter.builder()
                .name("loam_traffic_series_folded")
                .help("Connections counted without names, because there are too many combinations of labels")
                .register(registry);
    }

    private void family(String name, String help, PrometheusRegistry registry, Part part) {
        Collector collector = () -> {
            var snapshot = CounterSnapshot.builder().name(name).help(help);
            series.values().forEach(one -> part.write(one, new Points(one, snapshot)));
            return snapshot.build();
        };
        registry.register(collector);
    }

    /// What one family tells of a series.
    @FunctionalInterface
    private interface Part {
        void write(Series one, Points out);
    }

    private record Points(Series series, CounterSnapshot.Builder snapshot) {
        void add(FailureFlag flag, LongAdder value) {
            snapshot.dataPoint(CounterDataPointSnapshot.builder()
                    .labels(series.labels(flag))
                    .value((double) value.sum())
                    .build());
        }

        /// One series for each reason that there was.
        void addEach(Map<FailureFlag, LongAdder> byFlag) {
            byFlag.forEach((flag, value) -> {
                if (value.sum() > 0) {
                    add(flag, value);
                }
            });
        }
    }

    /// Counts the opening and returns what the connection adds to from now on. The connection must close it once.
    public OpenConnection open(TrafficLabels labels) {
        var held = hold(labels);
        held.opened.increment();
        held.openSockets(labels.reporter()).inc();
        return new OpenConnection(held, held.openSockets(labels.reporter()));
    }

    /// A connection that was refused before it was opened: counted as opened, failed and closed.
    public void refused(TrafficLabels labels, FailureFlag reason) {
        var held = hold(labels);
        held.opened.increment();
        held.end(reason);
    }

    private Series hold(TrafficLabels labels) {
        var key = new PairKey(labels);
        var known = pairs.get(key);
        if (known != null && known.hold()) {
            return known;
        }
        if (pairs.size() >= MAX_PAIRS) {
            pairs.clear(); // only a shortcut to the series, which stay
        }
        while (true) {
            var found = find(labels);
            if (found.hold()) {
                pairs.put(key, found);
                return found;
            } // died in between: it is out of the table, or will be in a moment
        }
    }

    private Series find(TrafficLabels labels) {
        var values = List.of(labels.values(FailureFlag.NONE));
        var known = series.get(values);
        if (known != null && !known.isDead()) {
            return known;
        }
        if (known == null && series.size() >= MAX_SERIES) { // by a few more if several loops come at once
            folded.inc();
            values = List.of(TrafficLabels.folded(labels.reporter()));
            var fold = new TrafficLabels(labels.reporter(), null, null, null, null, null, false);
            return series.computeIfAbsent(values, names -> new Series(names, fold));
        }
        return series.compute(
                values, (names, there) -> there == null || there.isDead() ? new Series(names, labels) : there);
    }

    @Override
    public int expire(LiveNames live, Instant now) {
        int forgotten = 0;
        for (var entry : List.copyOf(series.entrySet())) {
            var one = entry.getValue();
            if (one.isQuiet(now) && !one.isNamedBy(live) && one.die()) {
                series.remove(entry.getKey(), one);
                forgotten++;
            }
        }
        if (forgotten > 0) {
            pairs.values().removeIf(Series::isDead);
        }
        return forgotten + expireDryRuns(live, now);
    }

    private int expireDryRuns(LiveNames live, Instant now) {
        int forgotten = 0;
        for (var point : dryRuns.collect().getDataPoints()) {
            var policy = Objects.requireNonNull(point.getLabels().get("policy"));
            if (policy.equals(NO_POLICY) ? live.hasDryRunPolicies() : live.isDryRunPolicy(policy)) {
                policiesGone.remove(policy);
            } else if (!policiesGone
                    .computeIfAbsent(policy, _ -> now)
                    .plus(SeriesExpiry.RETENTION)
                    .isAfter(now)) {
                dryRuns.remove(policy, Objects.requireNonNull(point.getLabels().get("verdict")));
                forgotten++;
            }
        }
        // A policy that comes back later begins anew.
        policiesGone
                .values()
                .removeIf(since -> !since.plus(SeriesExpiry.RETENTION).isAfter(now));
        return forgotten;
    }

    /// Stands for all dry-run ALLOW policies together; no policy can be called so, for lack of a slash.
    private static final String NO_POLICY = "none";

    /// What a dry-run policy would have done to a connection. One series per policy that matched something and one for
    /// connections that no dry-run ALLOW policy matched.
    public void dryRun(DryRunFinding finding) {
        switch (finding) {
            case DryRunFinding.WouldDeny would ->
                dryRuns.labelValues(would.policy(), "deny").inc();
            case DryRunFinding.WouldAllow would ->
                dryRuns.labelValues(would.policy(), "allow").inc();
            case DryRunFinding.NoneWouldAllow _ ->
                dryRuns.labelValues(NO_POLICY, "deny").inc();
        }
    }

    /// A connection's peer proved to be somebody else (hazard I12).
    ///
    /// @param tried whether the mesh named another one
    public void anotherPeer(boolean tried) {
        otherPeers.labelValues(tried ? "tried" : "refused").inc();
    }

    /// An error in the proxy itself ended a connection.
    public void bug() {
        bugs.inc();
    }

    /// The counters of all connections with the same labels, but for the reason of their end.
    private final class Series {
        private static final int DEAD = -1;

        private final List<String> names;
        private final LiveNames.@Nullable Owner source;
        private final LiveNames.@Nullable Owner destination;
        private final @Nullable Service service;
        private final boolean sourceProved;
        private final boolean destinationProved;

        /// Connections that count here at the moment, or {@link #DEAD}.
        private final AtomicInteger holders = new AtomicInteger();

        private final LongAdder opened = new LongAdder();
        private final LongAdder received = new LongAdder();
        private final LongAdder sent = new LongAdder();

        /// Filled here and only read later, so that any thread may.
        private final Map<FailureFlag, LongAdder> closed = adders();

        private final Map<FailureFlag, LongAdder> failed = adders();

        /// Null until the first connection that is not refused: who is always refused has no bytes.
        private volatile @Nullable GaugeDataPoint sockets;

        /// Of the expiring thread, as is the next field.
        private long activitySeen = -1;

        private Instant quietSince = Instant.MAX;

        Series(List<String> names, TrafficLabels labels) {
            this.names = names;
            source = labels.source() == null ? null : LiveNames.Owner.of(labels.source());
            destination = labels.destination() == null ? null : LiveNames.Owner.of(labels.destination());
            service = labels.service();
            sourceProved = labels.sourcePrincipal() != null;
            destinationProved = labels.destinationPrincipal() != null;
        }

        private static Map<FailureFlag, LongAdder> adders() {
            var adders = new EnumMap<FailureFlag, LongAdder>(FailureFlag.class);
            for (var flag : FailureFlag.values()) {
                adders.put(flag, new LongAdder());
            }
            return adders;
        }

        private static LongAdder of(Map<FailureFlag, LongAdder> adders, FailureFlag flag) {
            return Objects.requireNonNull(adders.get(flag));
        }

        /// @return false if it is dead: it is not scraped any more
        boolean hold() {
            int held;
            do {
                held = holders.get();
                if (held == DEAD) {
                    return false;
                }
            } while (!holders.compareAndSet(held, held + 1));
            return true;
        }

        boolean die() {
            return holders.compareAndSet(0, DEAD);
        }

        boolean isDead() {
            return holders.get() == DEAD;
        }

        GaugeDataPoint openSockets(Reporter reporter) {
            var known = sockets;
            if (known == null) {
                known = TrafficMetrics.this.sockets.labelValues(reporter.label());
                sockets = known; // two loops may do so at once, with the same point
            }
            return known;
        }

        /// Lets go of it.
        void end(FailureFlag reason) {
            if (reason != FailureFlag.NONE) {
                of(failed, reason).increment();
            }
            of(closed, reason).increment();
            holders.decrementAndGet();
        }

        /// Whether nothing was counted here for the time of retention.
        boolean isQuiet(Instant now) {
            long activity = opened.sum();
            for (var adder : closed.values()) {
                activity += adder.sum();
            }
            if (holders.get() > 0 || activity != activitySeen) {
                activitySeen = activity;
                quietSince = now;
                return false;
            }
            return !quietSince.plus(SeriesExpiry.RETENTION).isAfter(now);
        }

        boolean isNamedBy(LiveNames live) {
            return live.isSide(source, sourceProved)
                    && live.isSide(destination, destinationProved)
                    && live.isService(service);
        }

        Labels labels(FailureFlag flag) {
            var keys = new String[names.size()];
            var values = new String[names.size()];
            int count = 0;
            for (int i = 0; i < names.size(); i++) {
                if (i < TrafficLabels.FIRST_OPTIONAL || !names.get(i).isEmpty()) {
                    keys[count] = TrafficLabels.NAMES[i];
                    values[count++] = i == TrafficLabels.FLAG ? flag.label() : names.get(i);
                }
            }
            return Labels.of(Arrays.copyOf(keys, count), Arrays.copyOf(values, count));
        }
    }

    /// Workloads and services are compared by identity: they are large, and one that changed is another object. Two
    /// objects that are equal merely lead to the same series twice.
    private static final class PairKey {
        private final TrafficLabels labels;
        private final int hash;

        PairKey(TrafficLabels labels) {
            this.labels = labels;
            int combined = System.identityHashCode(labels.source());
            combined = 31 * combined + System.identityHashCode(labels.destination());
            combined = 31 * combined + System.identityHashCode(labels.service());
            combined = 31 * combined + labels.reporter().hashCode();
            hash = 31 * combined + Boolean.hashCode(labels.mutualTls());
        }

        @Override
        @SuppressWarnings("ReferenceEquality") // see above
        public boolean equals(@Nullable Object other) {
            return other instanceof PairKey key
                    && key.labels.reporter() == labels.reporter()
                    && key.labels.source() == labels.source()
                    && key.labels.destination() == labels.destination()
                    && key.labels.service() == labels.service()
                    && key.labels.mutualTls() == labels.mutualTls()
                    && Objects.equals(key.labels.sourcePrincipal(), labels.sourcePrincipal())
                    && Objects.equals(key.labels.destinationPrincipal(), labels.destinationPrincipal());
        }

        @Override
        public int hashCode() {
            return hash;
        }
    }

    /// The series of one open connection. Bytes are counted in plain fields of the loop and published from here.
    public static final class OpenConnection {
        private final Series held;
        private final GaugeDataPoint sockets;
        private long publishedReceived;
        private long publishedSent;

        private OpenConnection(Series held, GaugeDataPoint sockets) {
            this.held = held;
            this.sockets = sockets;
        }

        /// @param fromClient bytes client → server since the connection began, not since the last call
        /// @param fromServer bytes server → client since the connection began
        public void publishBytes(long fromClient, long fromServer) {
            if (fromClient > publishedReceived) {
                held.received.add(fromClient - publishedReceived);
                publishedReceived = fromClient;
            }
            if (fromServer > publishedSent) {
                held.sent.add(fromServer - publishedSent);
                publishedSent = fromServer;
            }
        }

        /// The end of the connection. Nothing may be published after it.
        public void close(FailureFlag reason) {
            sockets.dec();
            held.end(reason);
        }
    }
}
