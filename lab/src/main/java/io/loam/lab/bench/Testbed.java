package io.loam.lab.bench;

import io.loam.lab.bench.load.FixedRateResult;
import io.loam.lab.bench.load.Iperf;
import io.loam.lab.bench.load.Iperf.Bulk;
import io.loam.lab.bench.load.LoadProcess;
import io.loam.lab.bench.load.NewConnectionsResult;
import io.loam.lab.bench.report.Figure;
import io.loam.lab.bench.report.Results;
import io.loam.lab.bench.topology.BenchLab;
import io.loam.lab.bench.topology.Candidate;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The lab with a load generator in each client pod, and the loads as each candidate can take them. A load that did
/// not do what its name says is an IOException with the reason. One thread at a time.
final class Testbed implements AutoCloseable {
    /// Kept connections of a latency run.
    static final int KEPT = 64;

    /// Connections that are being opened at a time.
    private static final int AT_A_TIME = 32;

    private final BenchLab lab;
    private final Results results;
    private final Map<String, LoadProcess> clients = new HashMap<>();

    /// A measurement and what it tells, thrown away as a whole where one step of it fails.
    @FunctionalInterface
    interface Measurement {
        List<Value> take() throws IOException;
    }

    record Value(Figure figure, double value) {}

    /// @param log where load generators complain
    Testbed(BenchLab lab, Results results, Path log) throws IOException {
        this.lab = lab;
        this.results = results;
        try {
            for (var candidate : lab.candidates()) {
                if (!clients.containsKey(candidate.client())) {
                    clients.put(candidate.client(), LoadProcess.start(lab.lab().enter(candidate.client()), log));
                }
            }
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    BenchLab lab() {
        return lab;
    }

    /// Those that carry any program's connections.
    List<Candidate> capturing() {
        return lab.candidates().stream()
                .filter(candidate -> !candidate.asksForTunnel())
                .toList();
    }

    LoadProcess client(Candidate candidate) {
        var client = clients.get(candidate.client());
        if (client == null) {
            throw new IllegalArgumentException("no load generator in " + candidate.client());
        }
        return client;
    }

    Bulk bulk(Candidate candidate, int connections, boolean reverse, Duration duration) throws IOException {
        return Iperf.run(
                lab.lab().enter(candidate.client()),
                server(candidate),
                BenchLab.IPERF_PORT,
                connections,
                reverse,
                duration);
    }

    Bulk bulk(Candidate candidate, int connections, long bytes) throws IOException {
        return Iperf.transfer(
                lab.lab().enter(candidate.client()), server(candidate), BenchLab.IPERF_PORT, connections, bytes);
    }

    /// Of another client pod to another server pod, through the same proxies.
    Bulk neighboursBulk(Candidate candidate, int connections, Duration duration) throws IOException {
        return Iperf.run(
                lab.lab().enter(candidate.neighbour()),
                lab.address(candidate.neighboursServer()),
                BenchLab.IPERF_PORT,
                connections,
                false,
                duration);
    }

    /// @param leastShare as {@link BenchPlan#leastShare}
    FixedRateResult fixedRate(Candidate candidate, int perSecond, Duration duration, double leastShare)
            throws IOException {
        var result = client(candidate).fixedRate(target(candidate), perSecond, KEPT, duration);
        var reason = result.voidFor(perSecond, leastShare);
        if (reason != null) {
            throw new IOException(reason);
        }
        return result;
    }

    NewConnectionsResult newConnections(Candidate candidate, Duration duration) throws IOException {
        var result = client(candidate).newConnections(target(candidate), AT_A_TIME, duration, tunnelTo(candidate));
        if (result.failed() == 0 && result.done() == 0) {
            throw new IOException("no connection was answered in " + duration.toMillis() + " ms");
        }
        if (result.failed() > 0) {
            throw new IOException("%d of %d connections failed: %s"
                    .formatted(result.failed(), result.failed() + result.done(), result.firstFailure()));
        }
        return result;
    }

    /// Adds the values of what is `wanted`, or fails all of it.
    void measure(Candidate candidate, List<Figure> wanted, Measurement measurement) {
        try {
            for (var value : measurement.take()) {
                if (wanted.contains(value.figure())) {
                    results.add(candidate.name(), value.figure(), value.value());
                }
            }
        } catch (IOException | IllegalStateException e) { // the latter: an agent does not run
            var reason = String.valueOf(e.getMessage());
            wanted.forEach(figure -> results.fail(candidate.name(), figure, reason));
        }
    }

    void remark(String text) {
        results.remark(text);
    }

    private InetAddress server(Candidate candidate) {
        return lab.address(candidate.server());
    }

    InetSocketAddress target(Candidate candidate) {
        return candidate.asksForTunnel()
                ? new InetSocketAddress(InetAddress.getLoopbackAddress(), lab.connectPort())
                : new InetSocketAddress(server(candidate), BenchLab.HTTP_PORT);
    }

    private @Nullable String tunnelTo(Candidate candidate) {
        return candidate.asksForTunnel() ? server(candidate).getHostAddress() + ":" + BenchLab.HTTP_PORT : null;
    }

    @Override
    public void close() {
        clients.values().forEach(LoadProcess::close);
    }
}
