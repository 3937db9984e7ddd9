package io.loam.runtime.xds;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.runtime.config.NodeConfig;
import io.loam.runtime.config.UpstreamConfig;
import io.loam.runtime.time.Timer;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Leaves the mesh to this agent's successor, which may come up while the control plane is away (hazard P6),
/// and reads what its predecessor left.
///
/// Written on `executor`, {@link #INTERVAL} after a change or later: writing takes a twentieth of the time at
/// most, so that a mesh that changes all the time costs no more. Where nothing changes it is written every
/// {@link #REFRESH}, because its age counts from the last moment at which the control plane is known to have
/// said the same. What cannot be written is logged once, and tried again at the next occasion.
///
/// Thread-safe; only {@link #read} blocks.
public final class MeshMemory {
    private static final Logger log = LoggerFactory.getLogger(MeshMemory.class);

    static final Duration INTERVAL = Duration.ofSeconds(2);
    static final Duration REFRESH = Duration.ofMinutes(10);

    /// Of the time that a write took: what passes at least until the next.
    private static final int REST = 20;

    /// Null: nothing is remembered.
    private final @Nullable MeshFile file;

    private final Timer clock;
    private final Executor executor;

    // Guarded by this.
    private MeshSnapshot current = MeshSnapshot.EMPTY;
    private @Nullable MeshSnapshot written;
    private Instant lost = Instant.EPOCH;
    private Duration rest = INTERVAL;
    private boolean inStep;
    private boolean underWay;
    private boolean broken;
    private Timer.@Nullable Scheduled refresh;

    MeshMemory(@Nullable MeshFile file, Timer clock, Executor executor) {
        this.file = file;
        this.clock = clock;
        this.executor = executor;
    }

    /// @param directory empty where there is none: nothing is remembered
    /// @param maxAge what is older is not used; 0: nothing is remembered
    /// @param executor runs blocking tasks: virtual threads
    public static MeshMemory in(
            String directory,
            Duration maxAge,
            NodeConfig node,
            UpstreamConfig controlPlane,
            Timer clock,
            Executor executor) {
        if (directory.isEmpty() || maxAge.isZero()) {
            return new MeshMemory(null, clock, executor);
        }
        var origin = controlPlane.address() + ", node " + node.nodeName() + " of " + node.clusterId();
        var roots = XdsClient.rootNamespaces(node.podNamespace());
        return new MeshMemory(new MeshFile(Path.of(directory), origin, maxAge, roots), clock, executor);
    }

    /// What a predecessor left, if it may be used; logs why not otherwise. Blocks.
    Optional<SavedMesh> read() {
        if (file == null) {
            return Optional.empty();
        }
        try {
            file.removeUnfinished();
            return file.read(clock.now());
        } catch (UnusableMeshException | IOException e) {
            log.warn("mesh on disk is not used file={} reason={}", file.path(), e.getMessage());
        } catch (RuntimeException | Error e) { // what is left behind must not keep an agent from starting
            log.error("mesh on disk is not used file={}", file.path(), e);
        }
        return Optional.empty();
    }

    /// The control plane says just this at the moment.
    synchronized void inStep(MeshSnapshot mesh) {
        inStep = true;
        current = mesh;
        saveUnlessWritten();
    }

    /// It may say something else from now on, without our hearing of it.
    synchronized void outOfStep() {
        if (inStep) {
            inStep = false;
            lost = clock.now();
            save(Duration.ZERO); // later than the last time, and nothing later will be known
        }
    }

    @SuppressWarnings("ReferenceEquality") // what changed is another object
    private void saveUnlessWritten() {
        if (current != written) {
            save(rest);
        }
    }

    /// Under the lock. What is current when the time comes is written.
    private void save(Duration delay) {
        if (file != null && !underWay) {
            underWay = true;
            var _ = clock.after(delay, () -> executor.execute(() -> write(file)));
        }
    }

    private void write(MeshFile to) {
        MeshSnapshot mesh;
        Instant asOf;
        synchronized (this) {
            mesh = current;
            asOf = inStep ? clock.now() : lost;
        }
        long began = System.nanoTime();
        Throwable failure = null;
        try {
            to.write(mesh, asOf);
        } catch (IOException | RuntimeException | Error e) {
            failure = e;
        }
        done(to, mesh, Duration.ofNanos(System.nanoTime() - began), failure);
    }

    private synchronized void done(MeshFile to, MeshSnapshot mesh, Duration took, @Nullable Throwable failure) {
        underWay = false;
        written = mesh; // one that could not be written is not tried again and again
        var due = took.multipliedBy(REST);
        rest = due.compareTo(INTERVAL) > 0 ? due : INTERVAL;
        if (failure != null && !broken) {
            log.error("mesh cannot be left to a successor file={}", to.path(), failure);
        } else if (failure == null) {
            log.debug("mesh written file={} {} duration.ms={}", to.path(), mesh, took.toMillis());
        }
        broken = failure != null;
        if (refresh != null) {
            refresh.cancel();
        }
        if (inStep) {
            refresh = clock.after(REFRESH, this::refresh);
            saveUnlessWritten();
        }
    }

    private synchronized void refresh() {
        if (inStep) {
            save(Duration.ZERO);
        }
    }
}
