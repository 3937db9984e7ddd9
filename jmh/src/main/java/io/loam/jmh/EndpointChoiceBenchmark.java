package io.loam.jmh;

import io.loam.model.decision.EndpointChoice;
import io.loam.model.decision.EndpointChoice.Purpose;
import io.loam.model.mesh.Endpoint;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import java.util.Objects;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;

/// Question: what does it cost to choose an endpoint, and does a large service cost its callers more?
///
/// Expected: 0 B and at most 200 ns whatever the number of endpoints, with preferences as without. Only the first
/// connection after a change of the service looks at all endpoints: at most 1 ms for 10,000.
@State(Scope.Benchmark)
public class EndpointChoiceBenchmark {
    private static final Workload SOURCE = Meshes.workload(1 << 20, 1, Status.HEALTHY);

    @Param({"3", "1000", "10000"})
    public int endpoints;

    private final SplittableRandom random = new SplittableRandom(3);
    private Service any = Meshes.service(0, LoadBalancing.ANY);
    private Service near = Meshes.service(0, Meshes.NEAR);
    private MeshSnapshot anyMesh = MeshSnapshot.EMPTY;
    private MeshSnapshot nearMesh = MeshSnapshot.EMPTY;
    private MeshDelta[] changes = {};
    private int turn;

    @Setup
    public void build() {
        anyMesh = Meshes.of(endpoints, 1, LoadBalancing.ANY);
        nearMesh = Meshes.of(endpoints, 1, Meshes.NEAR);
        any = Objects.requireNonNull(anyMesh.service(any.key()));
        near = Objects.requireNonNull(nearMesh.service(near.key()));
        changes = new MeshDelta[] {becomes(Status.UNHEALTHY), becomes(Status.HEALTHY)};
    }

    private static MeshDelta becomes(Status status) {
        return MeshDelta.builder().upsert(Meshes.workload(1, 0, status)).build();
    }

    @Benchmark
    public @Nullable Endpoint withoutPreference() {
        return EndpointChoice.choose(anyMesh, any, Meshes.SERVICE_PORT, SOURCE, Purpose.ENDPOINT, random);
    }

    @Benchmark
    public @Nullable Endpoint nearestFirst() {
        return EndpointChoice.choose(nearMesh, near, Meshes.SERVICE_PORT, SOURCE, Purpose.ENDPOINT, random);
    }

    /// One endpoint changes between any two connections, which is the worst case.
    @Benchmark
    public @Nullable Endpoint nearestFirstAfterAChange() {
        nearMesh = nearMesh.apply(changes[turn++ & 1]);
        return EndpointChoice.choose(nearMesh, near, Meshes.SERVICE_PORT, SOURCE, Purpose.ENDPOINT, random);
    }
}
