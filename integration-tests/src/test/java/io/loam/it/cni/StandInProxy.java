package io.loam.it.cni;

import io.loam.protocol.zds.ZdsProxySession;
import io.loam.protocol.zds.ZdsProxySession.Incoming;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;

/// A node proxy that only takes notes: what it was told, in order.
final class StandInProxy implements AutoCloseable {
    private final ZdsProxySession session;
    private final List<String> heard = new CopyOnWriteArrayList<>();
    private final AtomicReference<String> refusal = new AtomicReference<>("");
    private final AtomicReference<CompletableFuture<Void>> gate =
            new AtomicReference<>(CompletableFuture.completedFuture(null));
    private volatile boolean doomed;

    StandInProxy(Path zds) throws IOException {
        session = ZdsProxySession.connect(zds);
        Thread.ofPlatform().daemon().name("stand-in-proxy").start(this::serve);
    }

    private void serve() {
        try {
            while (true) {
                switch (session.receive(Duration.ofSeconds(30))) {
                    case Incoming.Add(var uid, var workload, var netns, var held) -> {
                        try (netns;
                                var _ = held) {
                            var answer = refusal.get();
                            heard.add("add " + uid + " " + workload.namespace() + "/" + workload.name() + " inode "
                                    + netns.inode() + (answer.isEmpty() ? "" : " refused"));
                            if (doomed) {
                                session.close();
                                return;
                            }
                            gate.get().join();
                            session.refuse(answer);
                        }
                    }
                    case Incoming.Keep(var uid) -> note("keep " + uid);
                    case Incoming.Del(var uid) -> note("del " + uid);
                    case Incoming.SnapshotSent() -> note("snapshot");
                    case Incoming.Nothing() -> {}
                }
            }
        } catch (IOException e) {
            heard.add("end");
        }
    }

    private void note(String what) throws IOException {
        heard.add(what);
        session.ack();
    }

    /// @param error answer to every add from now on; "" accepts
    void refuseWith(String error) {
        refusal.set(error);
    }

    /// Answers no add before `open` completes.
    void answersAfter(CompletableFuture<Void> open) {
        gate.set(open);
    }

    /// Its connection ends with the next add, as that of a process that crashes of it.
    void diesOfTheNextAdd() {
        doomed = true;
    }

    List<String> heard() {
        return List.copyOf(heard);
    }

    @Override
    public void close() {
        session.close();
    }
}
