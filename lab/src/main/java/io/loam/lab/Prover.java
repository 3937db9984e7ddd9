package io.loam.lab;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.loam.lab.Explainer.Question;
import io.loam.lab.accesslog.AgentLog;
import io.loam.lab.capture.Capture;
import io.loam.lab.capture.LinkCapture;
import io.loam.model.decision.Authority;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.explain.Explanation;
import io.loam.model.explain.Passage;
import io.loam.model.workload.Workload;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// Shows that what one pod sends to another cannot be read on the way: sends a request with a marker while the wire is
/// recorded, and asks both agents who is at the ends of the flow that carried it. {@link Proof} judges.
///
/// The tunnels that the pod has are retired before, so that the handshake of the one that carries the request is in
/// the recording; what is open on them goes on.
final class Prover {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Duration PATIENCE = Duration.ofSeconds(5);
    private static final Duration POLL = Duration.ofMillis(10);
    private static final String INTERFACE = "eth0";

    /// Somebody else's connection can make a tunnel between retiring and recording; not again and again.
    private static final int ATTEMPTS = 3;

    private final Lab lab;
    private final Explainer explainer;

    Prover(Lab lab) {
        this.lab = lab;
        this.explainer = new Explainer(lab);
    }

    /// @param from a pod or Deployment
    /// @param to see {@link Targets#of}
    /// @return what the command's package `io.loam.cli.lab` documents
    /// @throws IllegalArgumentException if one of them is not there, in words for the user
    Map<String, Object> prove(String from, String to) throws IOException {
        var question = explainer.ask(from, to);
        var places = places(question);
        Proof proof;
        int attempts = 0;
        do {
            proof = attempt(question, places);
        } while (proof.lacksHandshake() && ++attempts < ATTEMPTS);
        var json = new LinkedHashMap<String, Object>();
        json.putAll(proof.json());
        json.put("from", Map.of("pod", pod(question), "node", question.pod().node()));
        json.put(
                "to",
                Map.of(
                        "asked", question.target().asked(),
                        "how", question.target().how(),
                        "address", Authority.text(question.target().address())));
        return json;
    }

    private static String pod(Question question) {
        return question.pod().namespace() + "/" + question.pod().name();
    }

    /// Where to look, and what it is called.
    ///
    /// @param betweenNodes the node's link, which its pods' packets pass on their way to other nodes
    private record Place(boolean betweenNodes, String name, Path netns) {}

    /// Two where it depends on the endpoint.
    private List<Place> places(Question question) throws IOException {
        var node = question.pod().node();
        var places = new ArrayList<Place>();
        var next = question.explanation().branches().stream()
                .map(branch -> nextNode(branch.passage()))
                .toList();
        if (!next.stream().allMatch(node::equals) || next.isEmpty()) {
            places.add(new Place(
                    true, "the link between the nodes (" + INTERFACE + " of " + node + ")", lab.nodeNetns(node)));
        }
        if (next.contains(node)) {
            places.add(new Place(
                    false,
                    "the link of pod " + pod(question) + " (both ends are on " + node
                            + ": nothing of it passes the link between the nodes)",
                    lab.podNetns(pod(question))));
        }
        return places;
    }

    /// @return where its packets go first; empty for what is not in the mesh
    private static String nextNode(Passage passage) {
        if (passage.outbound() instanceof OutboundRoute.Tunnel tunnel) {
            return tunnel.destination().node();
        }
        var inbound = passage.inbound();
        return inbound == null ? "" : inbound.local().node();
    }

    private Proof attempt(Question question, List<Place> places) throws IOException {
        var marker = "loam-proof-" + UUID.randomUUID();
        var request = "GET /" + marker + " HTTP/1.1\r\nHost: "
                + Authority.text(question.target().address())
                + "\r\nUser-Agent: loam-prove\r\nConnection: close\r\n\r\n";
        boolean captured = Passage.isCaptured(question.source());
        if (captured) {
            retireTunnels(question);
        }
        var captures = new ArrayList<LinkCapture>();
        try {
            for (var place : places) {
                captures.add(LinkCapture.start(place.netns(), INTERFACE, filter(question)));
            }
            var log = explainer.logFromNow(question);
            Sent sent;
            try (var probe =
                    HeldProbe.start(lab.enter(pod(question)), question.target().address(), request)) {
                sent = send(question, captured, probe, log);
            }
            var seen = new ArrayList<Capture>();
            for (var capture : captures) {
                seen.add(capture.stop());
            }
            return proof(question, places, seen, marker, request, sent);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new InterruptedIOException("interrupted").initCause(e);
        } finally {
            captures.forEach(LinkCapture::close);
        }
    }

    private record Sent(ProbeResult outcome, String code, Proof.@Nullable End client, Proof.@Nullable End server) {}

    /// The agents are asked while the connection is open, and before it carries a byte: a server may end it at once.
    private Sent send(Question question, boolean captured, HeldProbe probe, AgentLog log) throws IOException {
        var client = captured && probe.isConnected() ? awaitClient(question, probe.local(), log) : null;
        var server = client != null && client.hasTunnel() ? server(client) : null;
        var outcome = probe.release();
        var code =
                outcome.open() ? "" : explainer.logged(question, log, outcome).getOrDefault("code", "");
        return new Sent(outcome, code, client, server);
    }

    private Proof proof(
            Question question, List<Place> places, List<Capture> seen, String marker, String request, Sent sent) {
        var server = sent.server();
        // Where both places were recorded, the endpoint that was chosen says which of them the request passed; and what
        // could be read in the other one may not be kept back.
        boolean crossed = server == null || !server.node().equals(question.pod().node());
        int chosen = 0;
        for (int i = 0; i < places.size(); i++) {
            if (seen.get(i).containsPlaintext(marker)) {
                chosen = i;
                break;
            }
            if (places.get(i).betweenNodes() == crossed) {
                chosen = i;
            }
        }
        return new Proof(
                request,
                marker,
                sent.outcome(),
                sent.code(),
                places.get(chosen).name(),
                places.get(chosen).betweenNodes(),
                seen.get(chosen),
                sent.client(),
                server);
    }

    /// Everything to or from the pod, and to or from whatever it may be led to, whoever sends it.
    private static String filter(Question question) {
        var hosts = new LinkedHashSet<InetAddress>(question.source().addresses());
        hosts.add(question.target().address().getAddress());
        question.explanation().candidates().stream()
                .map(Explanation.Candidate::workload)
                .map(Workload::addresses)
                .forEach(hosts::addAll);
        return hosts.stream().map(host -> "host " + host.getHostAddress()).collect(Collectors.joining(" or "));
    }

    private void retireTunnels(Question question) throws IOException {
        var node = question.pod().node();
        var answer = lab.askAgent(
                node, "POST", "/retire_tunnels?pod=" + URLEncoder.encode(pod(question), StandardCharsets.UTF_8));
        if (answer.status() != 200) {
            throw new IOException("agent " + node + ": " + answer.body().strip());
        }
    }

    /// @return null if the agent has refused it, or never had it
    private Proof.@Nullable End awaitClient(Question question, String local, AgentLog log) throws IOException {
        var node = question.pod().node();
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            var found = find(
                    node,
                    one -> one.path("direction").asText().equals("outbound")
                            && one.path("source").asText().equals(local)
                            && one.path("established").asBoolean());
            if (found != null || Explainer.ended(log, local).isPresent() || System.nanoTime() - deadline > 0) {
                return found == null ? null : end(node, found, "sourceIdentity");
            }
            try {
                Thread.sleep(POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw (IOException) new InterruptedIOException("interrupted").initCause(e);
            }
        }
    }

    /// Whoever has the other end of the same socket: the pod's agent, or a waypoint's.
    private Proof.@Nullable End server(Proof.End client) throws IOException {
        for (var node : lab.nodes()) {
            var found = find(
                    node,
                    one -> one.path("direction").asText().equals("inbound")
                            && one.path("tunnel").path("local").asText().equals(client.remote())
                            && one.path("tunnel").path("remote").asText().equals(client.local()));
            if (found != null) {
                return end(node, found, "destinationIdentity");
            }
        }
        return null;
    }

    /// @param own the field with the identity of this end
    private Proof.End end(String node, JsonNode connection, String own) throws IOException {
        var identity = connection.path(own).asText();
        for (var certificate : ask(node, "/config_dump").path("certificates")) {
            if (certificate.path("identity").asText().equals(identity)) {
                return new Proof.End(node, connection, withoutPem(certificate.path("rootCerts")));
            }
        }
        return new Proof.End(node, connection, MissingNode.getInstance());
    }

    private static JsonNode withoutPem(JsonNode roots) {
        var copy = roots.deepCopy();
        copy.forEach(root -> ((ObjectNode) root).remove("pem"));
        return copy;
    }

    private @Nullable JsonNode find(String node, Predicate<JsonNode> wanted) throws IOException {
        for (var one : ask(node, "/connections")) {
            if (wanted.test(one)) {
                return one;
            }
        }
        return null;
    }

    private JsonNode ask(String node, String path) throws IOException {
        var answer = lab.askAgent(node, "GET", path);
        if (answer.status() != 200) {
            throw new IOException("agent " + node + " answered " + answer.status() + " to " + path);
        }
        return JSON.readTree(answer.body());
    }
}
