package io.loam.lab.bench.load;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.protocol.linux.ResourceLimits;
import io.netty.buffer.ByteBuf;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.LoggerFactory;

/// The load generator as a program inside a pod: one order per line on standard input, one line of JSON per order on
/// standard output. It stays from round to round, so that its own warming up is not measured. Ends with its input.
public final class LoadMain {
    private static final int FIRST_RATE = 1000;

    private final LoadLoop loop;
    private @Nullable HeldConnections held;

    private LoadMain(LoadLoop loop) {
        this.loop = loop;
    }

    static void main() throws IOException, InterruptedException, ExecutionException {
        // Its standard output is for answers alone; failures are part of them.
        ((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).setLevel(Level.OFF);
        ResourceLimits.raiseOpenFiles();
        var json = new ObjectMapper();
        try (var loop = LoadLoop.start();
                var orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            var main = new LoadMain(loop);
            for (var order = orders.readLine(); order != null; order = orders.readLine()) {
                System.out.println(json.writeValueAsString(main.carryOut(order.split(" "))));
            }
        }
    }

    private Object carryOut(String[] order) throws InterruptedException, ExecutionException, IOException {
        return switch (order[0]) {
            case "rate" ->
                new FixedRateLoad(
                                loop,
                                target(order),
                                Integer.parseInt(order[3]),
                                Integer.parseInt(order[4]),
                                Duration.ofMillis(Long.parseLong(order[5])))
                        .run()
                        .get();
            case "first" ->
                FixedRateLoad.fromTheFirst(
                                loop,
                                target(order),
                                FIRST_RATE,
                                Integer.parseInt(order[4]),
                                Duration.ofNanos(Long.parseLong(order[3]) * TimeUnit.SECONDS.toNanos(1) / FIRST_RATE))
                        .run()
                        .get();
            case "connect" ->
                new NewConnectionsLoad(
                                loop,
                                target(order),
                                Integer.parseInt(order[3]),
                                Duration.ofMillis(Long.parseLong(order[4])),
                                LoadLoop.request(target(order)),
                                order.length > 5 ? connectHead(order[5]) : null)
                        .run()
                        .get();
            case "hold" -> {
                var connections = new HeldConnections(loop, target(order), Integer.parseInt(order[3]));
                held = connections;
                yield connections.open().get();
            }
            case "release" -> {
                if (held != null) {
                    held.release();
                    held = null;
                }
                yield new HeldResult(0, null);
            }
            default -> throw new IllegalArgumentException("order: " + order[0]);
        };
    }

    private static InetSocketAddress target(String[] order) throws IOException {
        return new InetSocketAddress(InetAddress.getByName(order[1]), Integer.parseInt(order[2]));
    }

    /// For a proxy that has to be asked for a tunnel.
    private static ByteBuf connectHead(String authority) {
        var head = "CONNECT " + authority + " HTTP/1.1\r\nHost: " + authority + "\r\n\r\n";
        return LoadLoop.constant(head);
    }
}
