package io.loam.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.lab.node.AgentAnswer;
import java.io.IOException;
import java.net.URLEncoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;

/// The part of the lab's API that asks agents: `/agents/…`. Only these paths are passed on: the admin endpoint of an
/// agent also ends it.
final class AgentApi {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final Set<String> SHOWN = Set.of("config_dump", "connections");
    private static final Set<String> CHANGED = Set.of("logging", "access_log");

    private final Lab lab;

    AgentApi(Lab lab) {
        this.lab = lab;
    }

    /// @param what the path after `/agents/`
    /// @return empty where there is no such path
    /// @throws IllegalArgumentException if the agent refuses, or is not there
    Optional<Object> answer(String method, String what, Map<String, String> query) {
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

    /// @param query `node`, and what is passed on
    private Map<String, Object> change(String method, String what, Map<String, String> query) {
        if (!method.equals("POST")) {
            throw new IllegalArgumentException("/agents/" + what + ": changes something (expected: POST)");
        }
        var node = Optional.ofNullable(query.remove("node")).orElse("");
        if (!lab.nodes().contains(node)) {
            throw new IllegalArgumentException("no node '" + node + "' (there are: "
                    + lab.nodes().stream().sorted().collect(Collectors.joining(", ")) + ")");
        }
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
