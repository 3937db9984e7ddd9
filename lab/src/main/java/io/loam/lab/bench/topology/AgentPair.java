package io.loam.lab.bench.topology;

import io.loam.lab.Lab;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.NetnsThread;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;

/// The agents of two nodes, which the lab starts again when they end. Blocking.
///
/// @param clientNode the node whose agent's start is timed; its pod `client` is behind it
public record AgentPair(String clientNode, String serverNode, String client) {
    /// Where every agent listens in each of its pods (wire reference, section 1).
    private static final int OUTBOUND_PORT = 15001;

    private static final int READINESS_PORT = 15021;
    private static final Duration START_TIMEOUT = Duration.ofSeconds(20);

    /// What the figures cannot be finer than; the kernel notes a process's start in the same steps. Who asks
    /// more often takes the time from the agent that starts.
    private static final Duration POLL = Duration.ofMillis(10);

    /// Lines of a table of sockets that are looked at. Those that listen come first; behind them are thousands
    /// of closed connections of the loads before, which take the kernel longer to list than an agent needs to
    /// start.
    private static final int TABLE_BYTES = 4096;

    private static final int READ_TIMEOUT_MILLIS = 1000;

    /// Both counted from the moment the kernel made the process.
    ///
    /// @param listeningSeconds until connections of the client pod were accepted
    /// @param readySeconds until its readiness probe said so
    public record Start(double listeningSeconds, double readySeconds) {}

    @FunctionalInterface
    private interface Question {
        boolean ask() throws IOException;
    }

    /// The processes at the moment.
    ///
    /// @throws IOException if one does not run
    List<Long> pids(Lab lab) throws IOException {
        try {
            return List.of(lab.agent(clientNode).pid(), lab.agent(serverNode).pid());
        } catch (IllegalStateException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /// Kills both, one after the other, and waits until both are ready again. The one that is timed is alone on
    /// the machine with its start, as on a node of its own; its peer has begun a moment before and has served
    /// nothing.
    public Start restart(Lab lab) throws IOException {
        try (var serverNetns = Netns.open(lab.nodeNetns(serverNode));
                var clientNetns = Netns.open(lab.nodeNetns(clientNode));
                var podNetns = Netns.open(lab.podNetns(client));
                var onServerNode = NetnsThread.start(serverNetns, "readiness of " + serverNode);
                var onClientNode = NetnsThread.start(clientNetns, "readiness of " + clientNode);
                var inPod = NetnsThread.start(podNetns, "listeners of " + client)) {
            kill(lab, serverNode);
            await("the agent of node " + serverNode + " is not ready", () -> inside(onServerNode, AgentPair::isReady));
            long pid = kill(lab, clientNode);
            await("the agent of node " + clientNode + " does not listen", () -> inside(inPod, () -> isListening(pid)));
            double listening = ProcessUsage.ageSeconds(pid);
            await("the agent of node " + clientNode + " is not ready", () -> inside(onClientNode, AgentPair::isReady));
            double ready = ProcessUsage.ageSeconds(pid);
            if (lab.agent(clientNode).pid() != pid) {
                throw new IOException("the agent of node " + clientNode + " ended while it started");
            }
            return new Start(listening, ready);
        } catch (IllegalStateException e) {
            throw new IOException(e.getMessage(), e);
        }
    }

    /// @return the process that has taken its place
    private static long kill(Lab lab, String node) throws IOException {
        var former = lab.agent(node);
        former.destroyForcibly();
        await("the agent of node " + node + " was not started again", () -> hasAgent(lab, node, former.pid()));
        return lab.agent(node).pid();
    }

    private static boolean hasAgent(Lab lab, String node, long former) {
        try {
            return lab.agent(node).pid() != former;
        } catch (IllegalStateException _) { // it pauses before it starts again
            return false;
        }
    }

    private static void await(String otherwise, Question question) throws IOException {
        long deadline = System.nanoTime() + START_TIMEOUT.toNanos();
        while (!question.ask()) {
            if (System.nanoTime() - deadline > 0) {
                throw new IOException(otherwise + " after " + START_TIMEOUT.toSeconds() + " s");
            }
            try {
                Thread.sleep(POLL);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("interrupted", e);
            }
        }
    }

    private static boolean inside(NetnsThread thread, Callable<Boolean> question) throws IOException {
        try {
            return thread.submit(question).get();
        } catch (ExecutionException e) {
            throw new IOException(String.valueOf(e.getCause()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /// The privileged half keeps the listeners of an agent that has died: it counts when the process has
    /// them open.
    private static boolean isListening(long pid) throws IOException {
        var listeners = new HashSet<>(listeners(beginning("/proc/thread-self/net/tcp"), OUTBOUND_PORT));
        listeners.addAll(listeners(beginning("/proc/thread-self/net/tcp6"), OUTBOUND_PORT));
        try (var files = Files.list(Path.of("/proc", Long.toString(pid), "fd"))) {
            return files.anyMatch(file -> listeners.contains(target(file)));
        }
    }

    private static String target(Path descriptor) {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (IOException _) { // closed since it was listed
            return "";
        }
    }

    private static String beginning(String table) throws IOException {
        try (var in = Files.newInputStream(Path.of(table))) {
            return new String(in.readNBytes(TABLE_BYTES), StandardCharsets.US_ASCII);
        }
    }

    /// @param table as proc_net_tcp: `sl local_address rem_address st …`, addresses and states in hexadecimal,
    ///     0A = LISTEN; the inode is the tenth
    /// @return what descriptors of sockets that listen on the port point to
    static Set<String> listeners(String table, int port) {
        var ending = ":%04X".formatted(port);
        return table.lines()
                .map(line -> line.strip().split("\\s+"))
                .filter(fields -> fields.length > 9 && fields[1].endsWith(ending) && fields[3].equals("0A"))
                .map(fields -> "socket:[" + fields[9] + "]")
                .collect(Collectors.toSet());
    }

    private static boolean isReady() {
        try (var socket = new Socket()) {
            socket.connect(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), READINESS_PORT), READ_TIMEOUT_MILLIS);
            socket.setSoTimeout(READ_TIMEOUT_MILLIS);
            socket.getOutputStream()
                    .write("GET /healthz/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                            .getBytes(StandardCharsets.US_ASCII));
            var answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.US_ASCII);
            return answer.startsWith("HTTP/1.1 200");
        } catch (IOException _) { // not there yet: asked again until the deadline
            return false;
        }
    }
}
