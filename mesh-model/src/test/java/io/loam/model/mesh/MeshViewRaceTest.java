package io.loam.model.mesh;

import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.decision.EndpointChoice;
import io.loam.model.decision.EndpointChoice.Purpose;
import io.loam.model.workload.Workload;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.SplittableRandom;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// One thread publishes, all others read: STYLE section 4. Each snapshot is of one moment, time never runs back,
/// and what readers keep beside a snapshot (the candidates of a service) never answers for another.
@Timeout(60)
final class MeshViewRaceTest {
    private static final int SNAPSHOTS = 20_000;
    private static final int READERS = 3;
    private static final Workload SOURCE = pod("source", "10.9.9.9").build();

    @Test
    void readersSeeWholeSnapshotsInOrder() throws Exception {
        var view = new MeshView();
        var start = new CyclicBarrier(READERS + 1);
        try (var threads = Executors.newFixedThreadPool(READERS + 1)) {
            var readers = new ArrayList<Callable<Integer>>();
            for (int i = 0; i < READERS; i++) {
                int seed = i;
                readers.add(() -> {
                    start.await(10, TimeUnit.SECONDS);
                    return read(view, seed);
                });
            }
            var running = readers.stream().map(threads::submit).toList();
            var publishing = threads.submit(() -> {
                start.await(10, TimeUnit.SECONDS);
                publish(view);
                return null;
            });

            publishing.get(50, TimeUnit.SECONDS);
            for (var reader : running) {
                assertThat(reader.get(10, TimeUnit.SECONDS))
                        .as("snapshots seen")
                        .isPositive();
            }
        }
    }

    /// In each snapshot exactly one endpoint exists, and its name is the snapshot's version.
    private static void publish(MeshView view) {
        var mesh = view.current();
        for (int version = 1; version <= SNAPSHOTS; version++) {
            var delta = MeshDelta.builder()
                    .upsert(pod("v" + version, "10.0.0.1")
                            .of(key("shop", "cart"))
                            .build())
                    .upsert(service("cart", "10.96.0.1").build())
                    .removeWorkload(pod("v" + (version - 1)).build().uid());
            mesh = mesh.apply(delta.build());
            view.publish(mesh);
        }
    }

    private static int read(MeshView view, int seed) {
        var random = new SplittableRandom(seed);
        long last = 0;
        int seen = 0;
        while (last < SNAPSHOTS && !Thread.currentThread().isInterrupted()) {
            var mesh = view.current();
            assertThat(mesh.version()).isGreaterThanOrEqualTo(last);
            if (mesh.version() == 0) {
                continue;
            }
            last = mesh.version();
            var cart = Objects.requireNonNull(mesh.service(key("shop", "cart")));
            var chosen =
                    Objects.requireNonNull(EndpointChoice.choose(mesh, cart, 80, SOURCE, Purpose.ENDPOINT, random));
            assertThat(chosen.workload().name()).isEqualTo("v" + last);
            assertThat(mesh.workloads()).containsExactly(chosen.workload());
            seen++;
        }
        return seen;
    }

    /// Listeners come and go on other threads; who was there all the time hears of every snapshot, in order.
    @Test
    void listenersThatComeAndGoDisturbNobody() throws Exception {
        var view = new MeshView();
        var heard = new ConcurrentLinkedQueue<Long>();
        var done = new AtomicBoolean();
        view.addListener(mesh -> heard.add(mesh.version()));
        try (var threads = Executors.newFixedThreadPool(1)) {
            var others = threads.submit(() -> {
                while (!done.get()) {
                    Consumer<MeshSnapshot> passing = _ -> {};
                    view.addListener(passing);
                    view.removeListener(passing);
                }
            });
            publish(view);
            done.set(true);
            others.get(10, TimeUnit.SECONDS);
        }

        assertThat(List.copyOf(heard)).hasSize(SNAPSHOTS).isSorted();
    }
}
