package io.loam.lab;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.lab.capture.Capture;
import io.loam.lab.capture.TcpFlow;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Judges what was seen of a marked request. The wire is the witness: that the marker is in no packet, that a flow with
/// these ends is TLS from its first byte to its last, and what its ServerHello says. Certificates are encrypted in TLS
/// 1.3, so who is at the ends comes from the agents, which took it from the handshake of the same socket: it counts
/// only if its addresses and ports are those of the flow on the wire, and both agents know it.
///
/// @param request what was sent
/// @param marker the part of it that occurs nowhere else
/// @param outcome what the program in the pod came to
/// @param code of a refusal, as the agent of the source logged it; may be empty
/// @param where the recording was made, in words
/// @param betweenNodes whether that is the link between nodes
/// @param client the connection as the agent of the source shows it; null if it did not carry it
/// @param server the other end of the tunnel as any agent shows it; null if none has it
record Proof(
        String request,
        String marker,
        ProbeResult outcome,
        String code,
        String where,
        boolean betweenNodes,
        Capture capture,
        @Nullable End client,
        @Nullable End server) {
    private static final String VERSION = "TLSv1.3";

    /// One end of a tunnel, as its agent shows it.
    ///
    /// @param node whose agent
    /// @param connection an element of `/connections`
    /// @param roots what this agent verifies peers of this identity by, as in `/config_dump`
    record End(String node, JsonNode connection, JsonNode roots) {
        JsonNode tunnel() {
            return connection.path("tunnel");
        }

        String local() {
            return tunnel().path("local").asText();
        }

        String remote() {
            return tunnel().path("remote").asText();
        }

        boolean hasTunnel() {
            return !local().isEmpty() && !remote().isEmpty();
        }
    }

    /// Whether the flow is there but began before the recording, so that its handshake is not in it.
    boolean lacksHandshake() {
        return flow().filter(flow -> flow.tls().isEmpty()).isPresent()
                && capture.flowsWith(bytes(marker)).isEmpty();
    }

    /// What is missing to the proof, one sentence each; empty if it holds.
    List<String> failures() {
        var failures = new ArrayList<String>();
        if (!outcome.open()) {
            failures.add("the request was not taken: " + outcome.detail()
                    + (code.isEmpty() ? "" : " (the agent's log says " + code + ")"));
        }
        var readable = capture.packetsWith(bytes(marker));
        var carriers = capture.flowsWith(bytes(marker));
        if (readable > 0 || !carriers.isEmpty()) {
            failures.add("PLAINTEXT: the marker can be read in " + readable + " packets"
                    + (carriers.isEmpty() ? "" : ", for example of " + carriers.getFirst()));
        }
        if (capture.dropped() > 0) {
            failures.add("the recording lost " + capture.dropped() + " packets, and what is in them nobody knows");
        }
        failures.addAll(flowFailures());
        return failures;
    }

    private List<String> flowFailures() {
        if (client == null || !client.hasTunnel()) {
            return List.of(
                    "no TLS flow: " + (client == null ? "no agent" : "agent " + client.node() + " has no tunnel that")
                            + " carried the request");
        }
        var failures = new ArrayList<String>();
        var flow = flow().orElse(null);
        if (flow == null) {
            failures.add("no TLS flow: nothing from " + client.local() + " to " + client.remote() + " was seen");
            return failures;
        }
        var hello = flow.tls().orElse(null);
        if (hello == null) {
            failures.add(flow + " does not begin with a handshake of TLS");
        } else {
            if (!hello.version().equals(VERSION)) {
                failures.add("the flow is " + hello.version() + " (expected: " + VERSION + ")");
            }
            agree("version", hello.version(), failures);
            agree("cipherSuite", hello.cipherSuite(), failures);
        }
        if (!flow.isTls()) {
            failures.add(flow + " is not records of TLS alone, or has holes");
        }
        if (outcome.open() && flow.toServer().length() < request.length()) {
            failures.add(flow + " is too small to have carried the request");
        }
        if (server == null) {
            failures.add("no agent knows the other end of " + client.local() + " -> " + client.remote());
        } else if (client.connection().path("destinationIdentity").asText().isEmpty()
                || server.connection().path("sourceIdentity").asText().isEmpty()) {
            failures.add("an agent does not know who its peer is");
        }
        return failures;
    }

    private void agree(String field, String seen, List<String> failures) {
        for (var end : ends()) {
            var said = end.tunnel().path(field).asText();
            if (!said.equals(seen)) {
                failures.add("agent " + end.node() + " says " + field + " " + said + ", the wire says " + seen);
            }
        }
    }

    private List<End> ends() {
        var ends = new ArrayList<End>();
        if (client != null) {
            ends.add(client);
        }
        if (server != null) {
            ends.add(server);
        }
        return ends;
    }

    private Optional<TcpFlow> flow() {
        if (client == null || !client.hasTunnel()) {
            return Optional.empty();
        }
        var from = address(client.local());
        return capture.flowsTo(address(client.remote())).stream()
                .filter(flow -> flow.client().equals(from))
                .findFirst();
    }

    static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        var host = text.substring(0, colon);
        return new InetSocketAddress(
                InetAddress.ofLiteral(host.startsWith("[") ? host.substring(1, host.length() - 1) : host),
                Integer.parseInt(text.substring(colon + 1)));
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    // --- as the command gets it ---

    Map<String, Object> json() {
        var json = new LinkedHashMap<String, Object>();
        var failures = failures();
        json.put("proved", failures.isEmpty());
        json.put("failures", failures);
        var sent = new LinkedHashMap<String, Object>();
        sent.put("marker", marker);
        sent.put("source", outcome.local());
        sent.put("bytes", request.length());
        sent.put("outcome", outcome.open() ? "answered" : "refused");
        sent.put("bytesRead", outcome.read());
        sent.put("detail", outcome.detail());
        sent.put("code", code);
        json.put("request", sent);
        json.put("wire", wire());
        var agents = new LinkedHashMap<String, Object>();
        if (client != null && client.hasTunnel()) {
            agents.put("client", end(client, "destinationIdentity"));
        }
        if (server != null) {
            agents.put("server", end(server, "sourceIdentity"));
        }
        json.put("agents", agents);
        return json;
    }

    private Map<String, Object> wire() {
        var wire = new LinkedHashMap<String, Object>();
        wire.put("where", where);
        wire.put("betweenNodes", betweenNodes);
        wire.put("packets", capture.frames().size());
        wire.put("lost", capture.dropped());
        wire.put("packetsWithMarker", capture.packetsWith(bytes(marker)));
        wire.put(
                "flowsWithMarker",
                capture.flowsWith(bytes(marker)).stream().map(TcpFlow::toString).toList());
        flow().ifPresent(flow -> {
            var seen = new LinkedHashMap<String, Object>();
            seen.put("client", text(flow.client()));
            seen.put("server", text(flow.server()));
            seen.put("bytesToServer", flow.toServer().length());
            seen.put("bytesToClient", flow.toClient().length());
            seen.put("onlyTlsRecords", flow.isTls());
            flow.tls().ifPresent(hello -> {
                seen.put("version", hello.version());
                seen.put("cipherSuite", hello.cipherSuite());
                seen.put("keyExchange", hello.keyExchange());
            });
            wire.put("flow", seen);
        });
        return wire;
    }

    private static String text(InetSocketAddress address) {
        var host = address.getAddress().getHostAddress();
        return (host.contains(":") ? "[" + host + "]" : host) + ":" + address.getPort();
    }

    /// @param peer the field that names who is at the other end
    private static Map<String, Object> end(End end, String peer) {
        var json = new LinkedHashMap<String, Object>();
        json.put("agent", end.node());
        json.put("pod", end.connection().path("pod").asText());
        json.put("sawPeer", end.connection().path(peer).asText());
        json.put("certificates", end.tunnel().path("peerCertificates"));
        json.put("roots", end.roots());
        return json;
    }
}
