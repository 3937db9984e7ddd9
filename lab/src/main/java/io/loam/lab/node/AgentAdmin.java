package io.loam.lab.node;

import io.loam.lab.process.NodeSockets;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

/// The endpoints of a node's agent for operators, asked over loopback in the node's namespace. Blocking.
final class AgentAdmin {
    private static final int ADMIN = 15000;
    private static final int READINESS = 15021;

    /// A dump of a large mesh takes seconds.
    private static final Duration TIMEOUT = Duration.ofSeconds(8);

    private AgentAdmin() {}

    /// @param path with its query, encoded
    /// @throws IOException if nobody answers there, or not HTTP
    static AgentAnswer ask(NodeSockets node, String method, String path) throws IOException {
        var answer = exchange(node, ADMIN, method, path);
        return new AgentAnswer(answer.status, answer.body);
    }

    /// What this process says that it lacks to be ready; empty when it is. While one agent replaces another the kernel
    /// chooses who is asked, so the answer may be of the other for some times.
    static String lacks(NodeSockets node, long pid) {
        try {
            var answer = exchange(node, READINESS, "GET", "/healthz/ready");
            if (answer.head.lines().noneMatch(("x-agent-pid: " + pid)::equals)) {
                return "it has not answered yet";
            }
            return answer.status == 200 ? "" : answer.body.strip().replace("\n", "; ");
        } catch (IOException e) {
            return "it does not answer: " + e.getMessage(); // it does not listen yet
        }
    }

    private record Answer(int status, String head, String body) {}

    private static Answer exchange(NodeSockets node, int port, String method, String path) throws IOException {
        try (var channel = node.open()) {
            var socket = channel.socket();
            int millis = (int) TIMEOUT.toMillis();
            socket.setSoTimeout(millis);
            socket.connect(new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), port), millis);
            // 1.0: the answer comes in one piece and ends with the connection.
            var request = method + " " + path + " HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n";
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            var answer = new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
            int head = answer.indexOf("\r\n\r\n");
            var words = answer.split(" ", 3);
            if (head < 0 || words.length < 3 || !words[1].matches("[0-9]{3}")) {
                throw new IOException("answered something other than HTTP");
            }
            return new Answer(Integer.parseInt(words[1]), answer.substring(0, head), answer.substring(head + 4));
        }
    }
}
