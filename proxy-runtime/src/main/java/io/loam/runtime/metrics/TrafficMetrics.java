package io.loam.runtime.metrics;

import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.model.registry.PrometheusRegistry;

/// The connection counters. Their series are resolved once when a connection starts; afterwards its event loop only
/// adds to adders.
public final class TrafficMetrics {
    private final Counter opened;
    private final Counter closed;
    private final Counter failed;
    private final Counter received;
    private final Counter sent;
    private final Gauge sockets;
    private final Counter bugs;

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
        var values = labels.values(FailureFlag.NONE);
        opened.labelValues(values).inc();
        var gauge = sockets.labelValues(labels.reporter().label());
        gauge.inc();
        return new OpenConnection(labels, received.labelValues(values), sent.labelValues(values), gauge::dec);
    }

    /// A connection that was refused before it was opened: counted as opened, failed and closed.
    public void refused(TrafficLabels labels, FailureFlag reason) {
        opened.labelValues(labels.values(FailureFlag.NONE)).inc();
        end(labels, reason);
    }

    /// An error in the proxy itself ended a connection.
    public void bug() {
        bugs.inc();
    }

    private void end(TrafficLabels labels, FailureFlag reason) {
        var values = labels.values(reason);
        if (reason != FailureFlag.NONE) {
            failed.labelValues(values).inc();
        }
        closed.labelValues(values).inc();
    }

    /// The series of one open connection. Bytes are counted in plain fields of the loop and published from here.
    public final class OpenConnection {
        private final TrafficLabels labels;
        private final CounterDataPoint received;
        private final CounterDataPoint sent;
        private final Runnable socketClosed;
        private long publishedReceived;
        private long publishedSent;

        OpenConnection(TrafficLabels labels, CounterDataPoint received, CounterDataPoint sent, Runnable socketClosed) {
            this.labels = labels;
            this.received = received;
            this.sent = sent;
            this.socketClosed = socketClosed;
        }

        /// @param fromClient bytes client → server since the connection began, not since the last call
        /// @param fromServer bytes server → client since the connection began
        public void publishBytes(long fromClient, long fromServer) {
            if (fromClient > publishedReceived) {
                received.inc(fromClient - publishedReceived);
                publishedReceived = fromClient;
            }
            if (fromServer > publishedSent) {
                sent.inc(fromServer - publishedSent);
                publishedSent = fromServer;
            }
        }

        /// The end of the connection.
        public void close(FailureFlag reason) {
            socketClosed.run();
            end(labels, reason);
        }
    }
}
