package io.loam.agent.dump;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.OpenConnection;
import io.loam.model.workload.Workload;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.time.Timer;
import java.time.Duration;
import java.util.Comparator;
import org.jspecify.annotations.Nullable;

/// `/connections`: what is open or being opened, the oldest first: objects of `pod`, `direction`, `source`,
/// `sourceWorkload`, `sourceIdentity`, `destination`, `tunnelTarget`, `destinationWorkload`, `destinationIdentity`,
/// `service`, `established` (false while it is being made), `protocol`, `bytesSent` and `bytesReceived` as the pod's
/// own application counts them, `durationMillis`.
/// A connection in a tunnel also has `tunnel`: `local` and `remote`, the two ends of its socket as they are seen on the
/// wire; `version` and `cipherSuite` of its TLS; `peerCertificates`, what the peer proved itself with in this tunnel's
/// handshake, leaf first: `serial`, `subject`, `issuer`, `validFrom`, `expires`.
/// More than istioctl's shape of `/config_dump` has room for. Empty strings where nothing is known.
public final class ConnectionList {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    private final ObjectMapper mapper = new ObjectMapper();
    private final ConnectionRegistry connections;
    private final Timer clock;

    public ConnectionList(ConnectionRegistry connections, Timer clock) {
        this.connections = connections;
        this.clock = clock;
    }

    /// Not for event loops.
    public String render() {
        var list = JSON.arrayNode();
        connections.all().stream()
                .sorted(Comparator.comparing(connection -> connection.report().began()))
                .forEach(connection -> list.add(describe(connection)));
        try {
            return mapper.writerWithDefaultPrettyPrinter().writeValueAsString(list);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of plain values is always JSON", e);
        }
    }

    private ObjectNode describe(OpenConnection connection) {
        var report = connection.report();
        var pod = connection.pod();
        var node = JSON.objectNode();
        node.put("pod", pod.info().namespace() + "/" + pod.info().name());
        node.put("direction", report.direction() == Direction.INBOUND ? "inbound" : "outbound");
        node.put("source", ConfigDump.text(report.sourceAddress()));
        node.put("sourceWorkload", name(report.sourceWorkload()));
        node.put("sourceIdentity", text(report.sourceIdentity()));
        node.put("destination", ConfigDump.text(report.destinationAddress()));
        node.put("tunnelTarget", text(report.tunnelTarget()));
        node.put("destinationWorkload", name(report.destinationWorkload()));
        node.put("destinationIdentity", text(report.destinationIdentity()));
        var service = report.service();
        node.put("service", service == null ? "" : service.hostname());
        node.put("established", connection.isEstablished());
        node.put("protocol", report.tunnelTarget() == null ? "TCP" : "HBONE");
        var tunnel = report.tunnel();
        if (tunnel != null) {
            TunnelView.describe(tunnel, node.putObject("tunnel"));
        }
        node.put("bytesSent", connection.bytesSent());
        node.put("bytesReceived", connection.bytesReceived());
        node.put(
                "durationMillis",
                Math.max(0, Duration.between(report.began(), clock.now()).toMillis()));
        return node;
    }

    private static String name(@Nullable Workload workload) {
        return workload == null ? "" : workload.namespace() + "/" + workload.name();
    }

    private static String text(@Nullable Object value) {
        return value == null ? "" : value.toString();
    }
}
