package io.loam.lab.demo;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.RunningLab;
import io.loam.lab.accesslog.AgentLog;
import io.loam.lab.capture.LinkCapture;
import io.loam.lab.command.Command;
import io.loam.lab.network.LabName;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.stream.StreamSupport;

/// The shop in a lab of its own, used as its users do: files, the lab's API, programs run inside pods.
///
/// @param files the copy of the samples that the lab watches
record ShopLab(LabName name, RunningLab api, Path files) {
    /// Everything awaited here takes less than two seconds on a quiet machine.
    private static final Duration PATIENCE = Duration.ofSeconds(15);

    private static final Duration ASK_INTERVAL = Duration.ofMillis(50);

    @FunctionalInterface
    interface Question<T> {
        Optional<T> ask() throws IOException, LabException, InterruptedException;
    }

    /// What a call with curl came to.
    ///
    /// @param exitCode of curl; 0 also for an answer like 404
    /// @param status of HTTP; 0 without an answer
    /// @param body or, without an answer, curl's own words
    record Reply(int exitCode, int status, String body) {
        boolean isOk() {
            return exitCode == 0 && status == 200;
        }

        @Override
        public String toString() {
            return exitCode == 0 ? "HTTP " + status : body;
        }
    }

    /// Asks until there is an answer.
    ///
    /// @throws IOException if there is none in time
    <T> T await(String what, Question<T> question) throws IOException, LabException, InterruptedException {
        var deadline = System.nanoTime() + PATIENCE.toNanos();
        while (true) {
            var answer = question.ask();
            if (answer.isPresent()) {
                return answer.get();
            }
            if (System.nanoTime() - deadline > 0) {
                throw new IOException("not within " + PATIENCE.toSeconds() + " s: " + what);
            }
            Thread.sleep(ASK_INTERVAL);
        }
    }

    Command.Result run(String pod, String... command) throws IOException, LabException {
        var argv = new ArrayList<String>();
        api.entryInto(pod, Optional.empty()).path("argv").forEach(word -> argv.add(word.asText()));
        argv.addAll(List.of(command));
        return Command.result(argv, "", PATIENCE);
    }

    /// @param token sent along as a cookie, to be looked for on links
    Reply curl(String pod, String url, String token) throws IOException, LabException {
        var result = run(pod, "curl", "-sS", "-m", "5", "-H", "Cookie: token=" + token, "-w", "\n%{http_code}", url);
        var lines = result.output().strip().lines().toList();
        if (result.exitCode() != 0 || lines.isEmpty()) {
            var words = lines.stream().filter(line -> line.startsWith("curl:")).findFirst();
            return new Reply(result.exitCode(), 0, words.orElse("curl ended with " + result.exitCode()));
        }
        var body = String.join("\n", lines.subList(0, lines.size() - 1));
        return new Reply(0, Integer.parseInt(lines.getLast()), body);
    }

    LinkCapture captureLinkOf(String node, String filter) throws IOException, InterruptedException {
        return LinkCapture.start(LabName.netnsPath(name.nodeNetns(node)), "eth0", filter);
    }

    AgentLog agentLogFromNow(String node) throws IOException {
        return AgentLog.fromNow(agentLog(node));
    }

    Path agentLog(String node) {
        return name.stateDir().resolve("nodes").resolve(node).resolve("agent.log");
    }

    List<JsonNode> pods(String namespace) throws LabException {
        return StreamSupport.stream(api.list("pods").spliterator(), false)
                .filter(pod -> pod.path("namespace").asText().equals(namespace))
                .toList();
    }

    List<InetAddress> addressesOf(String namespace, String podName) throws IOException, LabException {
        var addresses = new ArrayList<InetAddress>();
        for (var pod : pods(namespace)) {
            if (pod.path("name").asText().equals(podName)) {
                for (var ip : pod.path("ips")) {
                    addresses.add(InetAddress.getByName(ip.asText()));
                }
            }
        }
        return addresses;
    }

    /// Whether the lab says of every pod, and of every workload, of the namespace that it is in the mesh, and has
    /// brought that to all agents.
    boolean isInMesh(String namespace) throws LabException {
        Predicate<JsonNode> ofNamespace =
                object -> object.path("namespace").asText().equals(namespace);
        var pods = pods(namespace);
        var workloads = StreamSupport.stream(api.list("workloads").spliterator(), false)
                .filter(ofNamespace)
                .toList();
        return !pods.isEmpty()
                && pods.stream().allMatch(pod -> pod.path("mesh").asText().equals("captured"))
                && workloads.size() >= pods.size()
                && workloads.stream()
                        .allMatch(workload -> workload.path("protocol").asText().equals("HBONE"))
                && api.status().path("state").asText().equals("ready");
    }

    /// Every process in the namespace's pods: its number → when it started and what it is. Equal before and after
    /// means that nothing was restarted.
    TreeMap<Long, String> processes(String namespace) throws IOException, LabException {
        var processes = new TreeMap<Long, String>();
        for (var pod : pods(namespace)) {
            var netns = name.podNetns(namespace, pod.path("name").asText());
            for (var pid :
                    Command.run(List.of("ip", "netns", "pids", netns)).lines().toList()) {
                var process = ProcessHandle.of(Long.parseLong(pid.strip()));
                process.map(ProcessHandle::info)
                        .flatMap(info -> info.startInstant()
                                .map(start -> start + " " + info.command().orElse("?")))
                        .ifPresent(text -> processes.put(Long.parseLong(pid.strip()), text));
            }
        }
        return processes;
    }

    /// Changes a file of the lab under the eyes of the lab.
    void replace(String file, String old, String replacement) throws IOException {
        var path = files.resolve(file);
        var text = Files.readString(path);
        if (!text.contains(old)) {
            throw new IOException(path + " does not contain '" + old + "'");
        }
        Files.writeString(path, text.replace(old, replacement));
    }

    void add(Path policy) throws IOException {
        Files.copy(policy, files.resolve(policy.getFileName()));
    }

    /// Python's web server where the rest of the world is for this lab; serves an empty directory. The caller ends it;
    /// otherwise it goes with the lab's namespaces.
    Process serveOutside(int port) throws IOException {
        var directory = Files.createDirectories(name.stateDir().resolve("outside"));
        return new ProcessBuilder(
                        "ip",
                        "netns",
                        "exec",
                        name.fabricNetns(),
                        "python3",
                        "-m",
                        "http.server",
                        "--bind",
                        "::", // IPv4 as well
                        Integer.toString(port))
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start();
    }
}
