package io.loam.cli.explain;

import com.fasterxml.jackson.databind.JsonNode;

/// The answer to `POST /prove` as text: what the wire showed first, then what the agents say.
public final class ProofText {
    private final StringBuilder out = new StringBuilder();

    private ProofText() {}

    public static String render(JsonNode answer) {
        var text = new ProofText();
        text.request(answer);
        text.wire(answer.path("wire"));
        var agents = answer.path("agents");
        // Each end vouches for the other: it saw that certificate and verified it.
        text.end("server", agents.path("client"));
        text.end("client", agents.path("server"));
        if (!agents.isEmpty()) {
            text.line(
                    "",
                    "(certificates are encrypted on the wire; these are of this very flow, as its ends verified them)");
        }
        answer.path("failures").forEach(failure -> text.line("missing", failure.asText()));
        text.line("proof", answer.path("proved").asBoolean() ? "holds" : "FAILS");
        return text.out.toString();
    }

    private void request(JsonNode answer) {
        var from = answer.path("from");
        var to = answer.path("to");
        line("from", text(from, "pod") + " on " + text(from, "node"));
        line("to", text(to, "asked") + " = " + text(to, "address") + " (" + text(to, "how") + ")");
        var request = answer.path("request");
        line(
                "request",
                text(request, "bytes") + " B with marker " + text(request, "marker") + ": " + text(request, "outcome")
                        + ", "
                        + (text(request, "outcome").equals("answered")
                                ? text(request, "bytesRead") + " B back"
                                : text(request, "detail")));
    }

    private void wire(JsonNode wire) {
        line(
                "looked at",
                text(wire, "where") + ": " + text(wire, "packets") + " packets, " + text(wire, "lost") + " lost");
        var packets = wire.path("packetsWithMarker").asLong();
        var flows = wire.path("flowsWithMarker");
        line(
                "marker",
                packets == 0 && flows.isEmpty()
                        ? "in none of them"
                        : "READABLE in " + packets + " of them"
                                + (flows.isEmpty() ? "" : ", " + flows.path(0).asText()));
        var flow = wire.path("flow");
        if (flow.isObject()) {
            line(
                    "flow",
                    text(flow, "client") + " -> " + text(flow, "server") + ", " + text(flow, "bytesToServer")
                            + " B out, "
                            + text(flow, "bytesToClient") + " B in, "
                            + (flow.path("onlyTlsRecords").asBoolean() ? "TLS records only" : "not TLS alone"));
            if (flow.has("version")) {
                line(
                        "tls",
                        text(flow, "version") + " " + text(flow, "cipherSuite") + ", keys by "
                                + text(flow, "keyExchange"));
            }
        }
    }

    /// @param witness the other end
    private void end(String title, JsonNode witness) {
        if (!witness.isObject()) {
            return;
        }
        line(
                title,
                text(witness, "sawPeer") + ", says agent " + text(witness, "agent") + " for " + text(witness, "pod"));
        var certificates = witness.path("certificates");
        for (int i = 0; i < certificates.size(); i++) {
            var certificate = certificates.path(i);
            certificate(i == 0 ? "certificate" : "signed by", certificate);
        }
        for (var root : witness.path("roots")) {
            line("", "root " + text(root, "serialNumber") + ", until " + text(root, "expirationTime"));
        }
    }

    private void certificate(String what, JsonNode certificate) {
        line("", what + " " + text(certificate, "serial") + ", until " + text(certificate, "expires"));
    }

    private void line(String title, String text) {
        out.append("%-10s %s%n".formatted(title, text));
    }

    private static String text(JsonNode node, String field) {
        return node.path(field).asText("");
    }
}
