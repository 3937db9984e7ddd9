package io.loam.agent.zds;

import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsProtocolException;
import io.loam.protocol.zds.ZdsProxySession;
import io.loam.protocol.zds.ZdsProxySession.Incoming;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.time.Backoff;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The agent's end of ZDS (wire reference, 6.4): connects, says hello, and answers one request after the other. When
/// the connection is lost pods stay served, and the agent is not ready until the next snapshot.
///
/// Runs on a platform thread of its own, because opening a listener enters the pod's namespace.
public final class ZdsClient implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(ZdsClient.class);
    private static final Duration FIRST_PAUSE = Duration.ofMillis(10);
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(15);
    private static final double PAUSE_JITTER = 0.2;

    /// How often pending pods are tried again.
    private static final Duration RETRY_INTERVAL = Duration.ofSeconds(5);

    private static final String SNAPSHOT = "zds snapshot";

    private final Path socket;
    private final PodLifecycle pods;
    private final Readiness readiness;
    private final Backoff backoff;
    private final Thread thread;
    private volatile boolean closed;
    private volatile @Nullable ZdsProxySession session;

    public ZdsClient(Path socket, PodLifecycle pods, Readiness readiness, RandomGenerator random) {
        this.socket = socket;
        this.pods = pods;
        this.readiness = readiness;
        this.backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, PAUSE_JITTER, random);
        readiness.pending(SNAPSHOT);
        thread = Thread.ofPlatform().daemon().name("loam-zds").unstarted(this::run);
    }

    /// Begins to connect; returns at once.
    public void start() {
        thread.start();
    }

    /// Ends the connection; pods stay served.
    @Override
    public void close() {
        closed = true;
        var open = session;
        if (open != null) {
            open.close();
        }
        thread.interrupt();
    }

    private void run() {
        while (!closed) {
            try (var open = ZdsProxySession.connect(socket)) {
                session = open;
                log.info("privileged half connected socket={}", socket);
                serve(open);
            } catch (ZdsProtocolException e) {
                report("privileged half broke the protocol", e);
            } catch (IOException e) {
                report("privileged half not there", e);
            } catch (RuntimeException | Error e) { // a bug must not leave the node without new pods
                log.error("request of the privileged half failed", e);
            }
            session = null;
            readiness.pending(SNAPSHOT);
            pause();
        }
    }

    private void report(String what, Exception cause) {
        if (!closed) {
            log.warn("{} socket={} reason={}", what, socket, cause.getMessage());
        }
    }

    private void pause() {
        try {
            if (!closed) {
                Thread.sleep(backoff.pause());
            }
        } catch (InterruptedException e) {
            if (!closed) { // without this thread the node would get no new pods
                log.error("interrupted by somebody who does not own this thread", e);
            }
        }
    }

    private void serve(ZdsProxySession open) throws IOException {
        pods.connected();
        while (!closed) {
            switch (open.receive(RETRY_INTERVAL)) {
                case Incoming.Nothing _ -> {
                    pods.retryPending(); // says nothing: unsolicited bytes would end the session
                }
                case Incoming.Add(var uid, var info, var netns, var held) ->
                    answer(open, () -> pods.add(uid, info, netns, held));
                case Incoming.Keep(var uid) ->
                    answer(open, () -> {
                        pods.keep(uid);
                        return null;
                    });
                case Incoming.Del(var uid) ->
                    answer(open, () -> {
                        pods.remove(uid);
                        return null;
                    });
                case Incoming.SnapshotSent _ -> {
                    pods.snapshotComplete();
                    backoff.reset();
                    readiness.done(SNAPSHOT);
                    open.ack();
                }
            }
        }
    }

    private static void answer(ZdsProxySession open, Step step) throws IOException {
        HeldListeners toKeep;
        try {
            toKeep = step.run();
        } catch (IOException e) {
            log.warn("request refused error={}", e.getMessage());
            open.refuse(String.valueOf(e.getMessage()));
            return;
        } catch (RuntimeException | Error e) { // one pod that trips a bug must not keep the others of the node out
            log.error("request of the privileged half failed", e);
            open.refuse("error in the node proxy: " + e);
            return;
        }
        if (toKeep == null) {
            open.ack();
        } else {
            try (toKeep) {
                open.handOver(toKeep);
            }
        }
    }

    private interface Step {
        /// @return what the privileged half is to keep from now on, null if nothing changes
        @Nullable
        HeldListeners run() throws IOException;
    }
}
