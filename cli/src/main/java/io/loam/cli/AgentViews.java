package io.loam.cli;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.RunningLab;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.StreamSupport;

/// What the agents of a lab know, as rows for a table and as single objects.
///
/// @param dumps node → `/config_dump` of its agent
/// @param open node → `/connections` of its agent
/// @param failures agents that did not answer, one sentence each
record AgentViews(Map<String, JsonNode> dumps, Map<String, JsonNode> open, List<String> failures) {
    private static final JsonNodeFactory JSON = JsonNodeFactory.instance;

    /// @param agent only this one
    static AgentViews of(RunningLab lab, Optional<String> agent) throws LabException {
        var failures = new ArrayList<String>();
        return new AgentViews(
                answers(lab.agents("config_dump"), agent, failures),
                answers(lab.agents("connections"), agent, failures),
                failures.stream().distinct().toList());
    }

    private static Map<String, JsonNode> answers(JsonNode all, Optional<String> agent, List<String> failures)
            throws LabException {
        if (agent.isPresent() && !all.has(agent.get())) {
            throw new LabException("no node '" + agent.get() + "' (there are: "
                    + all.properties().stream().map(Map.Entry::getKey).collect(Collectors.joining(", ")) + ")");
        }
        var answers = new TreeMap<String, JsonNode>();
        for (var entry : all.properties()) {
            if (agent.isPresent() && !agent.get().equals(entry.getKey())) {
                continue;
            }
            var error = entry.getValue().path("error");
            if (error.isMissingNode()) {
                answers.put(entry.getKey(), entry.getValue());
            } else {
                failures.add("agent " + entry.getKey() + ": " + error.asText());
            }
        }
        return answers;
    }

    // --- rows ---

    ArrayNode workloads() {
        var rows = JSON.arrayNode();
        merged("workloads", "uid").forEach((uid, seen) -> {
            var workload = seen.object();
            var row = rows.addObject();
            copy(workload, row, "namespace", "name", "node");
            row.set("ips", workload.path("workloadIps"));
            copy(workload, row, "protocol", "status");
            row.put("identity", identity(workload));
            row.set("services", workload.path("services"));
            row.put("uid", uid);
            row.set("agents", seen.agents());
        });
        return rows;
    }

    ArrayNode services() {
        var rows = JSON.arrayNode();
        merged("services", "namespace", "hostname").forEach((_, seen) -> {
            var service = seen.object();
            var row = rows.addObject();
            copy(service, row, "namespace", "name");
            row.put("type", service.path("vips").isEmpty() ? "Headless" : "ClusterIP");
            var addresses = row.putArray("addresses");
            service.path("vips")
                    .forEach(vip -> addresses.add(vip.asText().replaceFirst("^/", ""))); // the default network's
            var ports = row.putArray("ports");
            service.path("ports")
                    .properties()
                    .forEach(port ->
                            ports.add(port.getKey() + "->" + port.getValue().asText()));
            row.put("endpoints", service.path("endpoints").size());
            copy(service, row, "hostname");
            row.set("agents", seen.agents());
        });
        return rows;
    }

    ArrayNode policies() {
        var rows = JSON.arrayNode();
        merged("policies", "namespace", "name").forEach((_, seen) -> {
            var row = policyRow(seen.object());
            row.set("agents", seen.agents());
            rows.add(row);
        });
        return rows;
    }

    private static ObjectNode policyRow(JsonNode policy) {
        var row = JSON.objectNode();
        copy(policy, row, "namespace", "name", "scope", "action", "dryRun");
        row.put("rules", policy.path("rules").size());
        return row;
    }

    ArrayNode certificates() {
        var rows = JSON.arrayNode();
        dumps.forEach((node, dump) -> dump.path("certificates").forEach(one -> rows.add(certificateRow(node, one))));
        return rows;
    }

    private static ObjectNode certificateRow(String node, JsonNode certificate) {
        var row = JSON.objectNode();
        var leaf = certificate.path("certChain").path(0);
        row.put("agent", node);
        copy(certificate, row, "identity", "state");
        row.put("serial", leaf.path("serialNumber").asText());
        row.put("expires", leaf.path("expirationTime").asText());
        row.put("validFrom", leaf.path("validFrom").asText());
        row.put("issuer", issuer(leaf.path("pem").asText()));
        row.put("chain", certificate.path("certChain").size());
        var roots = row.putArray("roots");
        certificate.path("rootCerts").forEach(root -> roots.add(root.path("serialNumber")));
        return row;
    }

    /// @param pem in base64, as Istio's dumps have it
    /// @return the name of who signed it; "" where the agent shows no certificate
    private static String issuer(String pem) {
        try (var in = new ByteArrayInputStream(Base64.getDecoder().decode(pem))) {
            return CertificateFactory.getInstance("X.509").generateCertificate(in)
                            instanceof X509Certificate certificate
                    ? certificate.getIssuerX500Principal().getName()
                    : "";
        } catch (CertificateException | IllegalArgumentException | IOException _) {
            return "";
        }
    }

    ArrayNode connections() {
        var rows = JSON.arrayNode();
        open.forEach((node, list) -> list.forEach(one -> {
            var row = rows.addObject();
            row.put("agent", node);
            copy(one, row, "pod", "direction", "source", "destination", "service", "protocol");
            copy(one, row, "bytesSent", "bytesReceived");
            row.put("duration", duration(one.path("durationMillis").asLong()));
            // Who the other side has proved to be.
            row.set(
                    "identity",
                    one.path("direction").asText().equals("inbound")
                            ? one.path("sourceIdentity")
                            : one.path("destinationIdentity"));
            copy(one, row, "sourceWorkload", "destinationWorkload", "tunnelTarget");
            copy(one, row, "sourceIdentity", "destinationIdentity", "durationMillis");
        }));
        return rows;
    }

    private static String duration(long millis) {
        long seconds = millis / 1000;
        return seconds < 60
                ? "%d.%ds".formatted(seconds, millis % 1000 / 100)
                : seconds < 3600
                        ? "%dm%02ds".formatted(seconds / 60, seconds % 60)
                        : "%dh%02dm".formatted(seconds / 3600, seconds / 60 % 60);
    }

    // --- one object in full, with what applies to it ---

    /// @param name `namespace/name`, the name alone where it is unique, or the uid
    ObjectNode workload(String name) throws LabException {
        var seen = one("workload", name, merged("workloads", "uid"), "uid");
        var node = seen.object().path("node").asText();
        var own = dumps.getOrDefault(node, JSON.objectNode());
        var workload = (ObjectNode) seen.object().deepCopy();
        var pod = fullName(workload);
        workload.put("identity", identity(workload));
        workload.set("agents", seen.agents());
        var policies = workload.putArray("policies");
        merged("policies", "namespace", "name").values().stream()
                .filter(policy -> applies(policy.object(), workload))
                .forEach(policy -> policies.add(policyRow(policy.object())));
        var certificates = workload.putArray("certificates");
        own.path("certificates").forEach(one -> {
            if (one.path("identity").asText().equals(identity(workload))) {
                certificates.add(certificateRow(node, one));
            }
        });
        var ownConnections = workload.putArray("connections");
        connections().forEach(row -> {
            if (row.path("pod").asText().equals(pod)) {
                ownConnections.add(row);
            }
        });
        return workload;
    }

    /// @param name `namespace/name`, the name alone where it is unique, or the host name
    ObjectNode service(String name) throws LabException {
        var seen = one("service", name, merged("services", "namespace", "hostname"), "hostname");
        var service = (ObjectNode) seen.object().deepCopy();
        service.set("agents", seen.agents());
        var callers = service.putArray("connections");
        connections().forEach(row -> {
            if (row.path("service").equals(service.path("hostname"))) {
                callers.add(row);
            }
        });
        return service;
    }

    /// @param name `namespace/name`, or the name alone where it is unique
    ObjectNode policy(String name) throws LabException {
        var seen = one("policy", name, merged("policies", "namespace", "name"), "name");
        var policy = (ObjectNode) seen.object().deepCopy();
        policy.set("agents", seen.agents());
        var workloads = policy.putArray("workloads");
        merged("workloads", "uid").values().stream()
                .filter(workload -> applies(policy, workload.object()))
                .forEach(workload -> workloads.add(fullName(workload.object())));
        return policy;
    }

    /// @param name the identity, or the end of it from a slash on
    ArrayNode certificate(String name) throws LabException {
        var found = JSON.arrayNode();
        var all = new ArrayList<String>();
        dumps.forEach((node, dump) -> dump.path("certificates").forEach(one -> {
            var identity = one.path("identity").asText();
            all.add(identity);
            if (identity.equals(name) || identity.endsWith("/" + name)) {
                var certificate = (ObjectNode) one.deepCopy();
                certificate.put("agent", node);
                var users = certificate.putArray("workloads");
                dump.path("workloads").forEach(workload -> {
                    if (workload.path("node").asText().equals(node)
                            && identity(workload).equals(identity)) {
                        users.add(fullName(workload));
                    }
                });
                found.add(certificate);
            }
        }));
        if (found.isEmpty()) {
            throw new LabException("no certificate '" + name + "' (there are: "
                    + all.stream().distinct().sorted().collect(Collectors.joining(", ")) + ")");
        }
        return found;
    }

    /// @param source address and port of who opened it; both ends of a tunnel's stream are found by it
    ArrayNode connection(String source) throws LabException {
        var found = JSON.arrayNode();
        connections().forEach(row -> {
            if (row.path("source").asText().equals(source)) {
                found.add(row);
            }
        });
        if (found.isEmpty()) {
            throw new LabException("no open connection from " + source + " (expected: ADDRESS:PORT in the column SOURCE"
                    + " of 'loam get connections')");
        }
        return found;
    }

    private static boolean applies(JsonNode policy, JsonNode workload) {
        return switch (policy.path("scope").asText()) {
            case "Global" -> true;
            case "Namespace" -> policy.path("namespace").equals(workload.path("namespace"));
            default ->
                StreamSupport.stream(workload.path("authorizationPolicies").spliterator(), false)
                        .anyMatch(key -> key.asText().equals(fullName(policy)));
        };
    }

    // --- the agents' views as one ---

    /// @param object as the first agent has it
    /// @param agents all that have it
    private record Seen(JsonNode object, ArrayNode agents) {}

    private Map<String, Seen> merged(String list, String... key) {
        var merged = new TreeMap<String, Seen>();
        dumps.forEach((node, dump) -> dump.path(list).forEach(object -> {
            var id = new StringBuilder();
            for (var part : key) {
                id.append(id.isEmpty() ? "" : "/").append(object.path(part).asText());
            }
            merged.computeIfAbsent(id.toString(), _ -> new Seen(object, JSON.arrayNode()))
                    .agents()
                    .add(node);
        }));
        return merged;
    }

    /// @param other field that identifies an object besides its name
    private static Seen one(String kind, String name, Map<String, Seen> all, String other) throws LabException {
        var matches = all.entrySet().stream()
                .filter(entry -> {
                    var object = entry.getValue().object();
                    return entry.getKey().equals(name)
                            || fullName(object).equals(name)
                            || object.path("name").asText().equals(name)
                            || object.path(other).asText().equals(name);
                })
                .toList();
        if (matches.size() == 1) {
            return matches.getFirst().getValue();
        }
        var candidates = matches.isEmpty() ? List.copyOf(all.entrySet()) : matches;
        var names = candidates.stream()
                .map(entry -> fullName(entry.getValue().object()))
                .sorted()
                .collect(Collectors.joining(", "));
        throw new LabException(
                matches.isEmpty()
                        ? "no " + kind + " '" + name + "' (there are: " + names + ")"
                        : "'" + name + "' is several: say which: " + names);
    }

    private static String fullName(JsonNode object) {
        return object.path("namespace").asText() + "/" + object.path("name").asText();
    }

    private static String identity(JsonNode workload) {
        return "spiffe://" + workload.path("trustDomain").asText() + "/ns/"
                + workload.path("namespace").asText() + "/sa/"
                + workload.path("serviceAccount").asText();
    }

    private static void copy(JsonNode from, ObjectNode to, String... fields) {
        for (var field : fields) {
            to.set(field, from.path(field).isMissingNode() ? JSON.nullNode() : from.path(field));
        }
    }
}
