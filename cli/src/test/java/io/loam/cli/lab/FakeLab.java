package io.loam.cli.lab;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// A lab as its API shows it: canned answers, the token checked.
public final class FakeLab implements AutoCloseable {
    private final HttpServer server;

    /// @param answers path with query → body; everything else is answered 404
    public FakeLab(LabDirectory labs, String name, Map<String, String> answers) throws IOException {
        server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            var authorized = "Bearer sesame".equals(exchange.getRequestHeaders().getFirst("Authorization"));
            var body = authorized ? answers.get(exchange.getRequestURI().toString()) : null;
            var bytes = (body == null ? "{\"error\": \"no such thing here\"}" : body).getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(body == null ? 404 : 200, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        announce(labs, name, ProcessHandle.current().pid(), server.getAddress().getPort());
    }

    public static void announce(LabDirectory labs, String name, long pid, int port) throws IOException {
        Path directory = Files.createDirectories(labs.root().resolve(name));
        Files.writeString(
                directory.resolve("api.json"),
                "{\"lab\": \"%s\", \"pid\": %d, \"port\": %d, \"token\": \"sesame\"}".formatted(name, pid, port));
    }

    @Override
    public void close() {
        server.stop(0);
    }
}
