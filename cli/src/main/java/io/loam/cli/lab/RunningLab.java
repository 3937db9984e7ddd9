package io.loam.cli.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.net.HttpURLConnection;
import java.net.Proxy;
import java.net.URI;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/// The API of one lab. Blocking calls, usable from any thread.
///
/// @param name the lab
/// @param port where its API listens on 127.0.0.1
/// @param token proves to the API that the caller may read the lab's directory
public record RunningLab(String name, int port, String token) {
    private static final ObjectMapper JSON = new ObjectMapper();

    /// Everything asked for is in memory, the lab's or an agent's: an answer later than this means that the lab hangs.
    private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(10);

    /// Some questions make the lab run programs.
    private static final Duration WORK_TIMEOUT = Duration.ofSeconds(90);

    public JsonNode status() throws LabException {
        return get("/status");
    }

    public JsonNode problems() throws LabException {
        return get("/problems");
    }

    /// @param kind `pods`, `services` or `workloads`
    public JsonNode list(String kind) throws LabException {
        return get("/" + kind);
    }

    /// @param what `config_dump` or `connections`
    /// @return node → what its agent answers, or `{"error": "…"}`
    public JsonNode agents(String what) throws LabException {
        return get("/agents/" + what);
    }

    /// Shows or changes what an agent writes to its log, or has it renew its certificates.
    ///
    /// @param what `logging`, `access_log` or `renew_certificates`
    /// @return what the agent says about it
    public String tellAgent(String node, String what, Map<String, String> settings) throws LabException {
        var query = new StringBuilder("node=").append(encoded(node));
        settings.forEach((key, value) ->
                query.append('&').append(encoded(key)).append('=').append(encoded(value)));
        return ask("POST", "/agents/" + what + "?" + query).path("answer").asText();
    }

    /// Replaces a node's agent; returns when the new one serves.
    ///
    /// @return `agent`, `former` (missing if none was running) and `millis`
    public JsonNode upgradeAgent(String node) throws LabException {
        return ask("POST", "/agents/upgrade?node=" + encoded(node), WORK_TIMEOUT);
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }

    public JsonNode entryInto(String pod, Optional<String> container) throws LabException {
        return get("/exec?" + query(pod, container));
    }

    public JsonNode logFiles(String pod, Optional<String> container) throws LabException {
        return get("/logs?" + query(pod, container));
    }

    /// @param from a pod
    /// @param to a pod, service, host name or address, with or without port
    /// @param probe whether the connection is opened as well
    public JsonNode why(String from, String to, boolean probe) throws LabException {
        return get("/why?from=" + encoded(from) + "&to=" + encoded(to) + (probe ? "&probe=true" : ""), WORK_TIMEOUT);
    }

    /// @param from a pod
    /// @param to as for {@link #why}
    /// @return what was seen of a marked request between them, and what agents say of it
    public JsonNode prove(String from, String to) throws LabException {
        return ask("POST", "/prove?from=" + encoded(from) + "&to=" + encoded(to), WORK_TIMEOUT);
    }

    private static String query(String pod, Optional<String> container) {
        var query = "pod=" + URLEncoder.encode(pod, StandardCharsets.UTF_8);
        return container
                .map(name -> query + "&container=" + URLEncoder.encode(name, StandardCharsets.UTF_8))
                .orElse(query);
    }

    private JsonNode get(String path) throws LabException {
        return ask("GET", path, ANSWER_TIMEOUT);
    }

    private JsonNode get(String path, Duration timeout) throws LabException {
        return ask("GET", path, timeout);
    }

    private JsonNode ask(String method, String path) throws LabException {
        return ask(method, path, ANSWER_TIMEOUT);
    }

    private JsonNode ask(String method, String path, Duration timeout) throws LabException {
        // Not the newer client: it prepares for TLS, which takes longer than everything else a command does.
        try {
            var url = URI.create("http://127.0.0.1:" + port + path).toURL();
            var connection = (HttpURLConnection) url.openConnection(Proxy.NO_PROXY);
            connection.setRequestMethod(method);
            connection.setRequestProperty("Authorization", "Bearer " + token);
            connection.setConnectTimeout(Math.toIntExact(timeout.toMillis()));
            connection.setReadTimeout(Math.toIntExact(timeout.toMillis()));
            if (method.equals("POST")) { // as a stream, or it would be sent again where no answer comes
                connection.setDoOutput(true);
                connection.setFixedLengthStreamingMode(0);
                connection.getOutputStream().close();
            }
            int status = connection.getResponseCode();
            JsonNode body;
            try (var stream = status < 400 ? connection.getInputStream() : connection.getErrorStream()) {
                body = JSON.readTree(stream == null ? new byte[0] : stream.readAllBytes());
            }
            if (status != 200) {
                throw new LabException(
                        body.path("error").asText("lab " + name + " answered " + status + " to " + path));
            }
            return body;
        } catch (JsonProcessingException e) {
            throw new LabException(
                    "lab " + name + " answered " + path + " with something other than JSON: " + e.getOriginalMessage());
        } catch (IOException e) {
            throw new LabException("lab " + name + " does not answer on port " + port + " (" + e.getMessage()
                    + "): stop it with 'loam down " + name + "'");
        }
    }

    @Override
    public String toString() {
        return "RunningLab[" + name + ", port=" + port + "]"; // the token stays out of logs
    }
}
