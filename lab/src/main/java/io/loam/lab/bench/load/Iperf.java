package io.loam.lab.bench.load;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.lab.command.Command;
import java.io.IOException;
import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// iperf3 as a client, for bulk transfer.
public final class Iperf {
    /// What it may take beyond its time: connecting, and draining what is on the way.
    private static final Duration PATIENCE = Duration.ofSeconds(15);

    /// A transfer that is slower than this (1 Gbit/s) is given up.
    private static final long LEAST_BYTES_PER_SECOND = 125_000_000;

    private Iperf() {}

    /// @param bytes that arrived
    /// @param gigabitsPerSecond at the receiver
    public record Bulk(long bytes, double gigabitsPerSecond) {}

    /// @param inside what to put before a command so that it runs in the pod
    /// @param reverse the server sends
    /// @param duration in whole seconds, as iperf3 counts. Less than one: as long as those bytes take that 1 Gbit/s
    ///     carries in that time
    /// @throws IOException if it failed, with its own words
    public static Bulk run(
            List<String> inside, InetAddress server, int port, int connections, boolean reverse, Duration duration)
            throws IOException {
        var command = command(inside, server, port, connections);
        if (duration.toSeconds() >= 1) {
            command.addAll(List.of("--time", Long.toString(duration.toSeconds())));
        } else {
            long bytes = LEAST_BYTES_PER_SECOND * duration.toMillis() / 1000;
            command.addAll(List.of("--bytes", Long.toString(bytes)));
        }
        if (reverse) {
            command.add("--reverse");
        }
        return parse(Command.result(command, "", duration.plus(PATIENCE)).output());
    }

    /// As {@link #run}, until so many bytes were sent over all connections together.
    public static Bulk transfer(List<String> inside, InetAddress server, int port, int connections, long bytes)
            throws IOException {
        var command = command(inside, server, port, connections);
        command.addAll(List.of("--bytes", Long.toString(bytes)));
        var expected = Duration.ofSeconds(bytes / LEAST_BYTES_PER_SECOND);
        return parse(Command.result(command, "", expected.plus(PATIENCE)).output());
    }

    private static List<String> command(List<String> inside, InetAddress server, int port, int connections) {
        var command = new ArrayList<>(inside);
        command.addAll(List.of("iperf3", "--json", "--client", server.getHostAddress()));
        command.addAll(List.of("--port", Integer.toString(port), "--parallel", Integer.toString(connections)));
        return command;
    }

    static Bulk parse(String output) throws IOException {
        try {
            var root = new ObjectMapper().readTree(output);
            if (root.hasNonNull("error")) {
                throw new IOException("iperf3: " + root.path("error").asText());
            }
            var received = root.path("end").path("sum_received");
            var bulk = new Bulk(
                    received.path("bytes").asLong(),
                    received.path("bits_per_second").asDouble() / 1e9);
            if (bulk.bytes() <= 0 || bulk.gigabitsPerSecond() <= 0) {
                throw new IOException("iperf3: nothing arrived");
            }
            return bulk;
        } catch (JsonProcessingException e) {
            throw new IOException("iperf3: " + output.lines().findFirst().orElse("no output"), e);
        }
    }
}
