package io.loam.agent.workload;

import io.loam.agent.pod.LocalPod;
import io.netty.channel.Channel;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.ScheduledFuture;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Nothing is accepted for a pod before there is a mesh to decide by and a certificate to show (hazards P1,
/// P4): who connects meanwhile waits in the kernel's backlog, and is served by a predecessor that shares the
/// listener if there is one. An agent that accepts earlier takes connections from that one and lets them
/// wait, or refuses them.
///
/// Opens as well when the CA's answer is a refusal, and when its time is over: from then on connections are
/// refused with the reason, instead of waiting for what does not come. But not as long as a predecessor lives,
/// which has what is needed: then the pod is left to it, {@link Successor} says why this agent does not take
/// over, and the CA is asked again. Once open it stays open.
///
/// Queries for names wait in the same way in the queues of their sockets, for a mesh that knows the names.
///
/// Belongs to the loop; methods may be called on any thread.
final class AcceptGate {
    private static final Logger log = LoggerFactory.getLogger(AcceptGate.class);

    /// How long connections wait for a mesh. An agent without one can only refuse them, while its predecessor,
    /// which shares the listener in an upgrade, serves them: on a node so busy that the first answer of the
    /// control plane takes longer than 10 s, a shorter limit had connections refused that nobody would have
    /// missed. Half of what an upgrade is given; a program that connects gives up by itself before that.
    static final Duration MESH_LIMIT = Duration.ofSeconds(30);

    /// How long they wait for a certificate once there is a mesh: a program that connects gives up after 10 s
    /// or more as a rule.
    static final Duration CERTIFICATE_LIMIT = Duration.ofSeconds(10);

    /// How often a successor looks whether it has what it lacks by now, or its predecessor has gone.
    static final Duration ANOTHER_LOOK = Duration.ofMillis(500);

    private final String what;
    private final LocalPod pod;
    private final EventLoop loop;
    private final long began = System.nanoTime();
    private final List<Channel> waiting = new ArrayList<>();
    private final CompletableFuture<Void> opened = new CompletableFuture<>();
    private final Successor successor;
    private final Supplier<? extends CompletionStage<?>> certificate;
    private @Nullable ScheduledFuture<?> limit;
    private Lacking lacking = new Lacking.Mesh();
    private boolean asking;

    /// What the gate waits for. First a mesh: only then a certificate is asked for.
    private sealed interface Lacking {
        /// For logs.
        String text();

        record Mesh() implements Lacking {
            @Override
            public String text() {
                return "mesh";
            }
        }

        /// @param refusal the CA's last answer, null before the first
        record Certificate(@Nullable String refusal) implements Lacking {
            @Override
            public String text() {
                return refusal == null ? "certificate" : "certificate: " + refusal;
            }
        }
    }

    private AcceptGate(
            String what,
            LocalPod pod,
            EventLoop loop,
            Successor successor,
            Supplier<? extends CompletionStage<?>> certificate) {
        this.what = what;
        this.pod = pod;
        this.loop = loop;
        this.successor = successor;
        this.certificate = certificate;
    }

    /// @param what waits, for the log
    /// @param successor knows whether there is a predecessor
    /// @param whole when the first whole mesh is published
    /// @param certificate asked for when it is: completes with the CA's answer, whatever it is
    /// @param meshLimit how long the mesh is waited for
    /// @param certificateLimit how long the certificate is waited for after that
    static AcceptGate of(
            String what,
            LocalPod pod,
            EventLoop loop,
            Successor successor,
            CompletionStage<Void> whole,
            Supplier<? extends CompletionStage<?>> certificate,
            Duration meshLimit,
            Duration certificateLimit) {
        var gate = new AcceptGate(what, pod, loop, successor, certificate);
        loop.execute(() -> gate.expireAfter(meshLimit));
        whole.thenRun(() -> loop.execute(() -> {
            gate.lacking = new Lacking.Certificate(null);
            gate.expireAfter(certificateLimit);
            gate.ask();
        }));
        return gate;
    }

    private void ask() {
        asking = true;
        certificate
                .get()
                .whenComplete((_, refusal) -> loop.execute(() -> {
                    asking = false;
                    if (refusal == null) {
                        open();
                    } else {
                        lacking = new Lacking.Certificate(String.valueOf(refusal.getMessage()));
                        openUnlessSucceeding();
                    }
                }));
    }

    /// Has this listener accept as soon as the gate is open.
    ///
    /// @param listener registered, and does not read by itself
    void add(Channel listener) {
        loop.execute(() -> {
            if (opened.isDone()) {
                begin(listener);
            } else {
                waiting.add(listener);
            }
        });
    }

    /// Completes when the gate is open, or closed for good.
    CompletionStage<Void> opened() {
        return opened.minimalCompletionStage();
    }

    /// The listeners close: nothing is accepted any more.
    void close() {
        loop.execute(() -> {
            waiting.clear();
            open();
        });
    }

    private void expireAfter(Duration time) {
        if (limit != null) {
            limit.cancel(false);
        }
        limit = loop.schedule(this::expire, time.toMillis(), TimeUnit.MILLISECONDS); // does nothing once it is open
    }

    private void expire() {
        if (!opened.isDone()) {
            openUnlessSucceeding();
        }
    }

    /// Its time is over, or the CA has refused.
    private void openUnlessSucceeding() {
        if (opened.isDone()) {
            return;
        }
        if (!successor.hasPredecessor()) {
            log.warn("pod accepts {} without what is needed pod={} lacking={}", what, pod, lacking.text());
            open();
            return;
        }
        successor.leave(pod, what, lacking.text());
        if (limit != null) {
            limit.cancel(false);
        }
        limit = loop.schedule(this::lookAgain, ANOTHER_LOOK.toMillis(), TimeUnit.MILLISECONDS);
    }

    private void lookAgain() {
        if (opened.isDone()) {
            return;
        }
        switch (lacking) {
            case Lacking.Certificate _ when !asking -> ask();
            case Lacking.Certificate _, Lacking.Mesh _ -> openUnlessSucceeding();
        }
    }

    private void open() {
        if (opened.isDone()) {
            return;
        }
        if (limit != null) {
            limit.cancel(false);
        }
        successor.take(pod, what);
        if (!waiting.isEmpty()) {
            long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
            log.info("pod accepts {} pod={} listeners={} after.ms={}", what, pod, waiting.size(), millis);
        }
        waiting.forEach(AcceptGate::begin);
        waiting.clear();
        opened.complete(null);
    }

    /// On the listener's own loop, where it is also closed.
    private static void begin(Channel listener) {
        listener.eventLoop().execute(() -> {
            if (listener.isRegistered()) { // closing takes it out of its loop first
                listener.config().setAutoRead(true);
            }
        });
    }
}
