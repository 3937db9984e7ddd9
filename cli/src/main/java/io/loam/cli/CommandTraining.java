package io.loam.cli;

import com.sun.net.httpserver.HttpServer;
import io.loam.cli.lab.LabDirectory;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// Commands against a lab that gives the same few answers to everybody, so that the JVM learns which classes
/// commands need. Run by the build as
///
/// ```
/// java <flags of a command> -XX:ArchiveClassesAtExit=<beside the jar files>/command.jsa -cp <as the command's>
///     io.loam.cli.CommandTraining
/// ```
///
/// A dynamic archive and no AOT cache, since picocli's classes are too old for one (JDK 25 leaves out class files
/// before version 50). Needs no root. Exit codes: 0 done, 1 something did not work as in operation.
public final class CommandTraining {
    private static final String LAB = "training";

    /// Has what commands look for in any answer; where they expect a list, {@link #LISTS}.
    private static final String ANSWER = """
            {"state": "ready", "pending": [], "verdict": "allowed", "branches": [], "argv": ["env"], "answer": "info\\n",
             "alder": {"workloads": [], "services": [], "policies": [], "certificates": [], "workloadState": {}}}""";

    private static final List<String> LISTS = List.of("/pods", "/services", "/workloads", "/problems", "/logs");

    private static final List<List<String>> COMMANDS = List.of(
            List.of("get", "pods"),
            List.of("get", "pods", "-o", "json"),
            List.of("get", "pods", "-o", "yaml"),
            List.of("get", "services"),
            List.of("get", "workloads"),
            List.of("get", "certificates"),
            List.of("get", "connections"),
            List.of("get", "policies"),
            List.of("why", "a", "b:80"),
            List.of("exec", "a", "--", "true"),
            List.of("problems"),
            List.of("log-level", "alder"),
            List.of("access-log", "alder"),
            List.of("explain", "POLICY_DENIED"),
            List.of("--help"));

    private CommandTraining() {}

    static void main() throws IOException {
        var root = Files.createTempDirectory("loam-training");
        var server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            var answer = LISTS.contains(exchange.getRequestURI().getPath()) ? "[]" : ANSWER;
            var bytes = answer.getBytes(StandardCharsets.UTF_8);
            exchange.sendResponseHeaders(200, bytes.length);
            exchange.getResponseBody().write(bytes);
            exchange.close();
        });
        server.start();
        var directory = root.resolve(LAB);
        var announcement = directory.resolve("api.json");
        int failed = 0;
        try {
            Files.createDirectory(directory);
            Files.writeString(
                    announcement,
                    "{\"pid\": %d, \"port\": %d, \"token\": \"\"}"
                            .formatted(
                                    ProcessHandle.current().pid(),
                                    server.getAddress().getPort()));
            for (var command : COMMANDS) {
                int exitCode = run(root, command.toArray(String[]::new));
                if (exitCode != 0) {
                    System.err.println("loam " + String.join(" ", command) + " ended with " + exitCode);
                    failed++;
                }
            }
        } finally {
            server.stop(0);
            for (var left : List.of(announcement, directory, root)) {
                Files.deleteIfExists(left);
            }
        }
        System.exit(failed == 0 ? 0 : 1);
    }

    private static int run(Path root, String... args) {
        return Main.commandLine(new LabDirectory(root), args)
                .setOut(new PrintWriter(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8))
                .execute(args);
    }
}
