package io.loam.cli.explain;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;

/// The answer to `GET /why` as text, hop by hop.
public final class WhyText {
    private final StringBuilder out = new StringBuilder();

    private WhyText() {}

    public static String render(JsonNode answer) {
        var text = new WhyText();
        text.head(answer);
        var branches = answer.path("branches");
        for (var branch : branches) {
            text.branch(branch, branches.size() > 1);
        }
        text.line("verdict", text(answer, "verdict"));
        text.changes(answer);
        text.probe(answer.path("probe"));
        return text.out.toString();
    }

    private void head(JsonNode answer) {
        var from = answer.path("from");
        boolean captured = from.path("captured").asBoolean();
        line(
                "from",
                text(from, "pod") + " on " + text(from, "node")
                        + (captured ? ", " + text(from, "identity") : ", no agent captures it"));
        var to = answer.path("to");
        line("to", text(to, "asked") + " = " + text(to, "address") + " (" + text(to, "how") + ")");
        if (!text(to, "service").isEmpty()) {
            line("service", text(to, "service"));
        }
        for (var candidate : answer.path("candidates")) {
            var reason = text(candidate, "reason");
            line(
                    "endpoint",
                    text(candidate, "pod") + " on " + text(candidate, "node") + ": "
                            + (reason.isEmpty() ? percent(candidate) : reason));
        }
    }

    private void branch(JsonNode branch, boolean several) {
        if (several) {
            line("way", percent(branch) + " of connections: " + text(branch, "verdict"));
        }
        var outbound = branch.path("outbound");
        if (!text(outbound, "lookup").isEmpty()) {
            line(
                    "looked up",
                    text(outbound, "lookup") + ", for each connection, by the agent; UNRESOLVED if its resolvers"
                            + " know no address");
        }
        switch (text(outbound, "kind")) {
            case "tunnel" -> {
                var via = text(outbound, "via");
                line(
                        via.equals("direct") ? "tunnel" : via,
                        "to " + text(outbound, "peer") + ", " + text(outbound, "pod") + " on " + text(outbound, "node")
                                + ", CONNECT " + text(outbound, "authority"));
                line("expects", String.join(" or ", texts(outbound.path("expectedIdentities"))));
            }
            case "plaintext" -> line("plaintext", "to " + text(outbound, "target") + ", no tunnel, no identity");
            case "not captured" -> line("plaintext", "to " + text(branch, "target") + ", past the mesh");
            default -> line("outbound", "refused");
        }
        var inbound = branch.path("inbound");
        if (inbound.isObject()) {
            var peer = text(inbound, "peer");
            line(
                    "inbound",
                    text(inbound, "pod") + " port " + text(inbound, "port") + " sees "
                            + (peer.isEmpty() ? "no identity" : peer));
            inbound.path("policies").forEach(this::policy);
            if (inbound.path("policies").isEmpty()) {
                line("policies", "none applies: everybody may connect");
            }
        }
        if (!text(branch, "code").isEmpty()) {
            line(
                    "refused",
                    text(branch, "code") + " by the " + text(branch, "refusedBy") + "'s agent: "
                            + text(branch, "reason"));
        }
    }

    private void policy(JsonNode policy) {
        var rules = texts(policy.path("matchingRules"));
        line(
                "policy",
                text(policy, "action") + " " + text(policy, "name") + " (" + text(policy, "scope")
                        + (policy.path("dryRun").asBoolean() ? ", dry-run" : "") + "): "
                        + (rules.isEmpty()
                                ? "none of " + text(policy, "ruleCount") + " rules matches"
                                : "rule " + String.join(", ", rules) + " matches")
                        + (policy.path("decided").asBoolean() ? ", decides" : ""));
    }

    private void changes(JsonNode answer) {
        boolean first = true;
        for (var change : answer.path("changes")) {
            line(
                    first ? (text(answer, "verdict").equals("allowed") ? "to refuse" : "to allow") : "or",
                    String.join("; and ", texts(change.path("steps"))));
            first = false;
        }
    }

    private void probe(JsonNode probe) {
        if (probe.isObject()) {
            var code = text(probe, "code");
            line(
                    "probe",
                    text(probe, "outcome") + " (" + text(probe, "detail") + (code.isEmpty() ? "" : "; log: " + code)
                            + "): " + (probe.path("agrees").asBoolean() ? "as predicted" : "NOT as predicted"));
        }
    }

    private void line(String title, String text) {
        out.append("%-10s %s%n".formatted(title, text));
    }

    private static String percent(JsonNode node) {
        return Math.round(node.path("share").asDouble() * 100) + " %";
    }

    private static String text(JsonNode node, String field) {
        return node.path(field).asText("");
    }

    private static List<String> texts(JsonNode array) {
        var texts = new ArrayList<String>();
        array.forEach(one -> texts.add(one.asText()));
        return texts;
    }
}
