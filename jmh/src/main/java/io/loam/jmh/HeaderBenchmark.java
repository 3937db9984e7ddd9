package io.loam.jmh;

import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.header.Baggage;
import io.loam.protocol.header.Forwarded;
import io.loam.protocol.header.TraceParent;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.infra.Blackhole;

/// Question: what do the fields of a CONNECT cost, that say on whose behalf it is? They are written and read once per
/// connection. HPACK is part of
/// `TunnelBenchmark`.
///
/// Expected: at most 1 µs and 2 KiB to write them, 2 µs and 4 KiB to read them: texts and what they are put together
/// from. A baggage text is the same for all connections of a workload and could be kept.
@State(Scope.Benchmark)
public class HeaderBenchmark {
    private static final Workload SOURCE = Meshes.workload(1, 1, Status.HEALTHY);
    private static final InetSocketAddress FROM = new InetSocketAddress(Meshes.podAddress(1), 40_000);
    private static final String HOST = "service-0.shop.svc.cluster.local";

    private final SplittableRandom random = new SplittableRandom(7);
    private final ConnectRequest received = encode();

    @Benchmark
    public ConnectRequest encode() {
        return encode(FROM);
    }

    ConnectRequest encode(InetSocketAddress from) {
        return new ConnectRequest(
                "10.0.0.2:8080",
                Baggage.of(SOURCE).header(),
                Forwarded.of(from, HOST).header(),
                TraceParent.fresh(random).header());
    }

    @Benchmark
    public void decode(Blackhole read) {
        read.consume(Baggage.parse(List.of(Objects.requireNonNull(received.baggage()))));
        read.consume(Forwarded.parse(Objects.requireNonNull(received.forwarded())));
        read.consume(TraceParent.parse(Objects.requireNonNull(received.traceparent())));
    }
}
