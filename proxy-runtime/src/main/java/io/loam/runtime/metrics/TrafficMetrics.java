package io.loam.runtime.metrics;

import io.loam.model.policy.DryRunFinding;
import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.datapoints.GaugeDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The connection counters. Their series are resolved once when a connection starts; afterwards its event loop only
/// adds to adders.
public final class TrafficMetrics {
    /// Pairs whose series are kept at hand; a node talks with fewer most of the time.
    private static final int MAX_PAIRS = 1024;

    private final Map<PairKey, Pair> pairs = new ConcurrentHashMap<>();
    private final Counter opened;
    private final Counter closed;
    private final Counter failed;
    private final Counter received;
    private final Counter sent;
    private final Gauge sockets;
    private final Counter bugs;
    private final Counter dryRuns;

    public TrafficMetrics(PrometheusRegistry registry) {
        opened = traffic("istio_tcp_connections_opened", "TCP connections opened", registry);
        closed = traffic("istio_tcp_connections_closed", "TCP connections closed, failed ones included", registry);
        failed = traffic("istio_tcp_connections_failed", "TCP connections that failed, by reason", registry);
        received = traffic("istio_tcp_received_bytes", "Bytes from client to server", registry);
        sent = traffic("istio_tcp_sent_bytes", "Bytes from server to client", registry);
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
    }

    private static Counter traffic(String name, String help, PrometheusRegistry registry) {
        return Counter.builder()
                .name(name)
                .help(help)
                .labelNames(TrafficLabels.NAMES)
                .register(registry);
    }

    /// Counts the opening and returns what the connection adds to from now on. The connection must close it once.
    public OpenConnection open(TrafficLabels labels) {
        var pair = pairOf(labels);
        var flow = pair.flow();
        pair.opened.inc();
        flow.sockets.inc();
        return new OpenConnection(pair, flow);
    }

    /// A connection that was refused before it was opened: counted as opened, failed and closed.
    public void refused(TrafficLabels labels, FailureFlag reason) {
        var pair = pairOf(labels);
        pair.opened.inc();
        pair.end(reason);
    }

    private Pair pairOf(TrafficLabels labels) {
        var key = new PairKey(labels);
        var known = pairs.get(key);
        if (known != null) {
            return known;
        }
        if (pairs.size() >= MAX_PAIRS) {
            pairs.clear(); // only a shortcut to the counters, which stay
        }
        var made = new Pair(labels);
        pairs.put(key, made);
        return made;
    }

    /// What a dry-run policy would have done to a connection. One series per policy that matched something and one for
    /// connections that no dry-run ALLOW policy matched.
    public void dryRun(DryRunFinding finding) {
        switch (finding) {
            case DryRunFinding.WouldDeny would ->
                dryRuns.labelValues(would.policy(), "deny").inc();
            case DryRunFinding.WouldAllow would ->
                dryRuns.labelValues(would.policy(), "allow").inc();
            case DryRunFinding.NoneWouldAllow _ ->
                dryRuns.labelValues("none", "deny").inc();
        }
    }

    /// An error in the proxy itself ended a connection.
    public void bug() {
        bugs.inc();
    }

    /// The series of all connections with the same labels. To find them in the registry takes 27 strings and as many
    /// comparisons, twice per connection for each counter; here they are looked up once.
    private final class Pair {
        private final TrafficLabels labels;
        private final CounterDataPoint opened;

        /// Null until the first connection that is not refused: a pair that is always refused has no such series.
        private volatile @Nullable Flow flow;

        private final Map<FailureFlag, CounterDataPoint> closedBy = new ConcurrentHashMap<>();
        private final Map<FailureFlag, CounterDataPoint> failedBy = new ConcurrentHashMap<>();

        Pair(TrafficLabels labels) {
            this.labels = labels;
            opened = TrafficMetrics.this.opened.labelValues(labels.values(FailureFlag.NONE));
        }

        Flow flow() {
            var known = flow;
            if (known == null) {
                var values = labels.values(FailureFlag.NONE);
                known = new Flow(
                        received.labelValues(values),
                        sent.labelValues(values),
                        sockets.labelValues(labels.reporter().label()));
                flow = known; // two loops may do so at once, with the same series
            }
            return known;
        }

        void end(FailureFlag reason) {
            if (reason != FailureFlag.NONE) {
                count(failedBy, failed, reason);
            }
            count(closedBy, closed, reason);
        }

        private void count(Map<FailureFlag, CounterDataPoint> series, Counter counter, FailureFlag reason) {
            var point = series.get(reason);
            if (point == null) {
                point = counter.labelValues(labels.values(reason));
                series.put(reason, point); // two loops may do so at once, with the same point
            }
            point.inc();
        }
    }

    /// What open connections of a pair add to.
    private record Flow(CounterDataPoint received, CounterDataPoint sent, GaugeDataPoint sockets) {}

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
        private final Pair pair;
        private final Flow flow;
        private long publishedReceived;
        private long publishedSent;

        private OpenConnection(Pair pair, Flow flow) {
            this.pair = pair;
            this.flow = flow;
        }

        /// @param fromClient bytes client → server since the connection began, not since the last call
        /// @param fromServer bytes server → client since the connection began
        public void publishBytes(long fromClient, long fromServer) {
            if (fromClient > publishedReceived) {
                flow.received.inc(fromClient - publishedReceived);
                publishedReceived = fromClient;
            }
            if (fromServer > publishedSent) {
                flow.sent.inc(fromServer - publishedSent);
                publishedSent = fromServer;
            }
        }

        /// The end of the connection.
        public void close(FailureFlag reason) {
            flow.sockets.dec();
            pair.end(reason);
        }
    }
}
