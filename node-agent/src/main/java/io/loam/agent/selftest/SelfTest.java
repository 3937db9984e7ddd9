package io.loam.agent.selftest;

import io.loam.runtime.admin.Readiness;
import java.io.IOException;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Before the agent says that it is ready, its own data path carries connections over loopback, both ways
/// (fast-path, section 6). That shows what no other check does: that TLS, HTTP/2, the loops and the kernel's
/// sockets work together in this process. And it warms them up: the first connections of a JVM take 100 to 200
/// ms, and here nobody waits for them.
///
/// A self-test that fails keeps the agent unready, with the reason in `/healthz/ready`, and is tried again.
public final class SelfTest implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(SelfTest.class);
    private static final String TASK = "self-test";

    /// Some frames and some records, so that windows and sizes of reads move.
    private static final EchoLoad.Shape FIRST = new EchoLoad.Shape(2, 1, 256 << 10);

    /// As the connections that come next: opened, used for a moment, closed.
    private static final EchoLoad.Shape USUAL = new EchoLoad.Shape(8, 2, 1 << 10);

    private static final int MOST_STREAMS = 600;

    /// For the usual connections. The figure that users see is the time to ready, 1 s at most.
    private static final Duration TIME = Duration.ofMillis(250);

    private static final Duration PAUSE = Duration.ofSeconds(1);

    private final Opening opening;
    private final Readiness readiness;
    private final Thread thread;
    private String pending = TASK;

    /// Makes the mesh that is tested, each time anew.
    public interface Opening {
        LoopbackMesh open() throws IOException;
    }

    public SelfTest(Opening opening, Readiness readiness) {
        this.opening = opening;
        this.readiness = readiness;
        readiness.pending(TASK);
        thread = Thread.ofPlatform().daemon().name("loam-self-test").unstarted(this::run);
    }

    /// Begins; returns at once.
    public void start() {
        thread.start();
    }

    private void run() {
        try {
            while (!passes()) {
                Thread.sleep(PAUSE);
            }
            readiness.done(pending);
        } catch (InterruptedException _) {
            // Closed: the process ends.
        }
    }

    private boolean passes() throws InterruptedException {
        String failure;
        var refusal = "";
        try {
            var mesh = opening.open();
            try {
                measure(new EchoLoad(mesh));
                return true;
            } finally {
                mesh.close();
                refusal = mesh.firstRefusal();
            }
        } catch (IOException | RuntimeException e) { // a bug here is a bug of the data path: not ready
            failure = e.getMessage() + (refusal.isEmpty() ? "" : " (" + refusal + ")");
            log.warn("self-test failed retry.in={} reason={}", PAUSE, failure, e);
        }
        var next = TASK + ": " + failure;
        readiness.pending(next); // before the other goes, so that there is no moment without
        if (!next.equals(pending)) {
            readiness.done(pending);
        }
        pending = next;
        return false;
    }

    private static void measure(EchoLoad load) throws IOException, InterruptedException {
        long began = System.nanoTime();
        load.run(FIRST, FIRST.atOnce(), TIME);
        long first = System.nanoTime();
        int streams = load.run(USUAL, MOST_STREAMS, TIME);
        log.info(
                "self-test passed first.ms={} streams={} streams.ms={}",
                (first - began) / 1_000_000,
                streams,
                (System.nanoTime() - first) / 1_000_000);
    }

    @Override
    public void close() {
        thread.interrupt();
    }
}
