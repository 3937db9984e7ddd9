package io.loam.lab.bench.load;

import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.BufferedReader;
import java.io.BufferedWriter;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.ProcessBuilder.Redirect;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// A load generator inside a pod. One order at a time; blocking.
public final class LoadProcess implements AutoCloseable {
    /// What an order may take beyond the time it asks for.
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private final Process process;
    private final BufferedWriter orders;
    private final BufferedReader answers;
    private final ObjectMapper json = new ObjectMapper();

    private LoadProcess(Process process) {
        this.process = process;
        this.orders = process.outputWriter(StandardCharsets.UTF_8);
        this.answers = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    }

    /// @param inside what to put before a command so that it runs in the pod
    /// @param log where it complains
    public static LoadProcess start(List<String> inside, Path log) throws IOException {
        return new LoadProcess(new ProcessBuilder(java(inside, LoadMain.class))
                .redirectError(Redirect.appendTo(log.toFile()))
                .start());
    }

    /// Starts the end of tunnels in a pod; see [ConnectTarget].
    public static Process startConnectTarget(List<String> inside, int port, int pageBytes, Path log)
            throws IOException {
        var command = java(inside, ConnectTarget.class);
        command.addAll(List.of(Integer.toString(port), Integer.toString(pageBytes)));
        return new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(Redirect.appendTo(log.toFile()))
                .start();
    }

    private static List<String> java(List<String> inside, Class<?> main) {
        var command = new ArrayList<>(inside);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:+UseCompactObjectHeaders",
                "-Dio.netty.leakDetection.level=disabled",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName()));
        return command;
    }

    public FixedRateResult fixedRate(InetSocketAddress target, int perSecond, int connections, Duration duration)
            throws IOException {
        var order = "rate %s %d %d %d".formatted(text(target), perSecond, connections, duration.toMillis());
        return order(order, duration, FixedRateResult.class);
    }

    /// Requests right after a start: at 1,000 per second, each over a connection that is open and idle, or else over a
    /// new one. The time of opening it counts.
    ///
    /// @param atMost connections
    public FixedRateResult firstRequests(InetSocketAddress target, int count, int atMost) throws IOException {
        var order = "first %s %d %d".formatted(text(target), count, atMost);
        return order(order, Duration.ofMillis(count), FixedRateResult.class);
    }

    /// @param connectTo asks the target for a tunnel to this authority first; null where the target needs no asking
    public NewConnectionsResult newConnections(
            InetSocketAddress target, int atATime, Duration duration, @Nullable String connectTo) throws IOException {
        var order = "connect %s %d %d".formatted(text(target), atATime, duration.toMillis());
        return order(connectTo == null ? order : order + " " + connectTo, duration, NewConnectionsResult.class);
    }

    /// Opens connections that stay until {@link #release}.
    public HeldResult hold(InetSocketAddress target, int count) throws IOException {
        return order("hold %s %d".formatted(text(target), count), PATIENCE, HeldResult.class);
    }

    public void release() throws IOException {
        order("release", Duration.ZERO, HeldResult.class);
    }

    private <T> T order(String order, Duration expected, Class<T> type) throws IOException {
        orders.write(order);
        orders.newLine();
        orders.flush();
        var overdue = Thread.startVirtualThread(() -> {
            try {
                Thread.sleep(expected.plus(PATIENCE));
                process.destroyForcibly();
            } catch (InterruptedException _) {
                // It answered.
            }
        });
        try {
            var answer = answers.readLine();
            if (answer == null) {
                throw new IOException("the load generator ended or took too long over '" + order + "'");
            }
            return json.readValue(answer, type);
        } finally {
            overdue.interrupt();
        }
    }

    private static String text(InetSocketAddress target) {
        return target.getAddress().getHostAddress() + " " + target.getPort();
    }

    @Override
    public void close() {
        try {
            orders.close();
            if (!process.waitFor(2, TimeUnit.SECONDS)) {
                process.destroyForcibly();
            }
        } catch (IOException e) {
            process.destroyForcibly(); // its pipe is gone: it has ended or is about to
        } catch (InterruptedException e) {
            process.destroyForcibly();
            Thread.currentThread().interrupt();
        }
    }
}
