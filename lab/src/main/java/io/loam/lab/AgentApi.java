package io.loam.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.lab.node.AgentAnswer;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The part of the lab's API that is about agents: `/agents/…`. Only some paths are passed on to them: the admin
/// endpoint of an agent also ends it.
final class AgentApi {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<String> SHOWN = Set.of("config_dump", "connections");
    private static final Set<String> CHANGED = Set.of("logging", "access_log", "renew_certificates");

    private final Lab lab;

    AgentApi(Lab lab) {
        this.lab = lab;
    }

    /// @param what the path after `/agents/`
    /// @return empty where there is no such path
    /// @throws IllegalArgumentException if the agent refuses, or is not there
    /// @throws IOException if an agent cannot be replaced
    Optional<Object> answer(String method, String what, Map<String, String> query) throws IOException {
        if (what.equals("upgrade")) {
            return Optional.of(upgrade(method, query));
        }
        if (SHOWN.contains(what)) {
            return Optional.of(ofEach(what));
        }
        return CHANGED.contains(what) ? Optional.of(change(method, what, new TreeMap<>(query))) : Optional.empty();
    }

    /// One agent that does not answer does not hide the others.
    private Map<String, Object> ofEach(String what) {
        var answers = new TreeMap<String, Object>();
        for (var node : lab.nodes()) {
            answers.put(node, Map.of("error", "has not been asked"));
        }
        lab.nodes().parallelStream().forEach(node -> {
            var answer = ask(node, what);
            synchronized (answers) {
                answers.put(node, answer);
            }
        });
        return answers;
    }

    private Object ask(String node, String what) {
        try {
            var answer = lab.askAgent(node, "GET", "/" + what);
            return answer.status() == 200
                    ? JSON.readTree(answer.body())
                    : Map.of("error", "answered " + answer.status());
        } catch (JsonProcessingException e) {
            return Map.of("error", "answered something other than JSON: " + e.getOriginalMessage());
        } catch (IOException | IllegalArgumentException e) {
            return Map.of("error", "does not answer: " + e.getMessage());
        }
    }

    private Map<String, Object> upgrade(String method, Map<String, String> query) throws IOException {
        requirePost(method, "upgrade");
        var node = requireNode(query.get("node"));
        long began = System.nanoTime();
        var former = lab.replaceAgent(node, Map.of());
        var answer = new TreeMap<String, Object>();
        answer.put("agent", lab.agent(node).pid());
        former.ifPresent(process -> answer.put("former", process.pid()));
        answer.put("millis", Duration.ofNanos(System.nanoTime() - began).toMillis());
        return answer;
    }

    private static void requirePost(String method, String what) {
        if (!method.equals("POST")) {
            throw new IllegalArgumentException("/agents/" + what + ": changes something (expected: POST)");
        }
    }

    private String requireNode(@Nullable String node) {
        if (node == null || !lab.nodes().contains(node)) {
            throw new IllegalArgumentException("no node '" + (node == null ? "" : node) + "' (there are: "
                    + lab.nodes().stream().sorted().collect(Collectors.joining(", ")) + ")");
        }
        return node;
    }

    /// @param query `node`, and what is passed on
    private Map<String, Object> change(String method, String what, Map<String, String> query) {
        requirePost(method, what);
        var node = requireNode(query.remove("node"));
        var path = query.entrySet().stream()
                .map(entry -> encoded(entry.getKey()) + "=" + encoded(entry.getValue()))
                .collect(Collectors.joining("&", "/" + what + "?", ""));
        try {
            boolean asks = query.isEmpty() && what.equals("access_log");
            AgentAnswer answer = lab.askAgent(node, asks ? "GET" : "POST", path);
            if (answer.status() != 200) {
                throw new IllegalArgumentException(
                        "agent " + node + ": " + answer.body().strip());
            }
            return Map.of("answer", answer.body());
        } catch (IOException e) {
            throw new IllegalArgumentException("agent " + node + " does not answer: " + e.getMessage(), e);
        }
    }

    private static String encoded(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8);
    }
}
