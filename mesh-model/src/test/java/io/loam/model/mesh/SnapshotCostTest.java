package io.loam.model.mesh;

import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.port;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// One change in a mesh of 100,000 workloads: at most 64 KiB of heap, and at most 1 ms. All workloads are endpoints of
/// one of a hundred services, so that the indexes of a service are large as well.
final class SnapshotCostTest {
    private static final int WORKLOADS = 100_000;
    private static final int SERVICES = 100;
    private static final int CHANGES = 2_000;

    @Test
    void costsTheSameInALargeMesh() {
        var mesh = largeMesh();
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long[] nanos = new long[CHANGES];
        long[] bytes = new long[CHANGES];
        for (int i = 0; i < CHANGES; i++) {
            var status = i % 2 == 0 ? Status.UNHEALTHY : Status.HEALTHY;
            var delta = MeshDelta.builder()
                    .upsert(workload(i * 37 % WORKLOADS, status))
                    .build();
            long bytesBefore = threads.getCurrentThreadAllocatedBytes();
            long nanosBefore = System.nanoTime();
            mesh = mesh.apply(delta);
            nanos[i] = System.nanoTime() - nanosBefore;
            bytes[i] = threads.getCurrentThreadAllocatedBytes() - bytesBefore;
        }
        Arrays.sort(nanos);
        Arrays.sort(bytes);
        assertThat(bytes[CHANGES - 1]).as("bytes, the most").isLessThanOrEqualTo(64 << 10);
        assertThat(nanos[CHANGES / 2]).as("nanoseconds, median").isLessThanOrEqualTo(1_000_000);
    }

    private static MeshSnapshot largeMesh() {
        var delta = MeshDelta.builder();
        for (int i = 0; i < SERVICES; i++) {
            delta.upsert(service("s" + i, "10.96.0." + i).build());
        }
        for (int i = 0; i < WORKLOADS; i++) {
            delta.upsert(workload(i, Status.HEALTHY));
        }
        return MeshSnapshot.EMPTY.apply(delta.build());
    }

    private static Workload workload(int i, Status status) {
        return pod("w-" + i, "10." + (i >>> 16) + "." + (i >>> 8 & 0xff) + "." + (i & 0xff))
                .of(key("shop", "s" + i % SERVICES), port(80, 8080))
                .with(w -> w.status = status)
                .build();
    }
}
