package io.loam.cni.zds;

import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.SeqPacketServer;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.zds.ZdsAgentSession;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Tells node proxies of the pods of this node (wire reference, 6.4).
///
/// Several proxies may be connected, an old and a new one during an upgrade: Add goes to the newest only, Del to all.
/// Each connection first gets every known pod and SnapshotSent. A connection has a platform thread of its own, which
/// sends one request at a time and waits for its ack, so that a proxy that hangs holds up nobody else.
///
/// It also keeps the listeners of pods for proxies that hand them over (our addition to ZDS): each Add
/// brings what is kept, and its ack what is to be kept instead. While no proxy runs, the kernel completes
/// connections into the backlog of what is kept, and the next proxy serves them. When a pod is forgotten its
/// listeners are closed.
public final class ZdsServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(ZdsServer.class);

    /// At most five connections a second: a proxy that crashes on its first message must not occupy the node.
    private static final Duration ACCEPT_INTERVAL = Duration.ofMillis(200);

    private static final Duration ACCEPT_WAIT = Duration.ofSeconds(60);

    /// After a failure to accept, for want of descriptors as a rule.
    private static final Duration ACCEPT_RETRY = Duration.ofSeconds(1);

    private final SeqPacketServer server;
    private final Observer observer;
    private final Thread acceptor;

    // Guarded by this.
    private final Map<String, KnownPod> pods = new LinkedHashMap<>();
    private final List<Session> sessions = new ArrayList<>(); // the newest is the last
    private volatile boolean closed;

    private ZdsServer(SeqPacketServer server, Observer observer) {
        this.server = server;
        this.observer = observer;
        this.acceptor = Thread.ofPlatform().daemon().name("zds-accept").unstarted(this::accept);
    }

    /// @param socket created with mode 0600, in place of a predecessor's
    public static ZdsServer listen(Path socket, Observer observer) throws IOException {
        var zds = new ZdsServer(SeqPacketServer.listen(socket), observer);
        zds.acceptor.start();
        return zds;
    }

    /// Makes the pod known, to the newest proxy now and to every later one when it connects.
    ///
    /// @param netns passes into the ownership of this object
    /// @return fails if no proxy is connected, or if it refuses; the pod stays known in either case
    public CompletableFuture<Void> add(Add add, Netns netns) {
        var pod = new KnownPod(add, netns);
        var result = new CompletableFuture<Void>();
        synchronized (this) {
            var previous = pods.get(add.uid());
            if (previous != null) {
                pod.succeed(previous);
            }
            pods.put(add.uid(), pod);
            if (sessions.isEmpty()) {
                result.completeExceptionally(new IOException("no node proxy is connected to " + server.path()));
            } else {
                sessions.getLast().submit(new Job.SendAdd(pod, result));
            }
        }
        return result;
    }

    /// Forgets the pod and tells every proxy.
    ///
    /// @return completes when each proxy has answered or gone
    public CompletableFuture<Void> del(String uid) {
        var answers = new ArrayList<CompletableFuture<Void>>();
        synchronized (this) {
            var pod = pods.remove(uid);
            if (pod != null) {
                pod.forget();
            }
            for (var session : sessions) {
                var answer = new CompletableFuture<Void>();
                session.submit(new Job.SendDel(new Del(uid), answer));
                answers.add(answer.exceptionally(_ -> null)); // a proxy that went has forgotten the pod, too
            }
        }
        return CompletableFuture.allOf(answers.toArray(CompletableFuture[]::new));
    }

    /// How many proxies are connected and greeted.
    public synchronized int proxies() {
        return sessions.size();
    }

    /// Whether this process is connected and has taken all pods.
    public synchronized boolean serves(long pid) {
        return sessions.stream().anyMatch(session -> session.hasSnapshot && session.pid == pid);
    }

    /// Ends all connections. Proxies keep their pods and reconnect to a successor.
    @Override
    public void close() {
        closed = true;
        server.close();
        List<Session> ending;
        synchronized (this) {
            ending = List.copyOf(sessions);
            pods.values().forEach(KnownPod::forget);
            pods.clear();
        }
        ending.forEach(Session::end);
    }

    private void accept() {
        while (!closed) {
            try {
                var socket = server.accept(ACCEPT_WAIT);
                if (socket != null) {
                    new Session(socket).start();
                    TimeUnit.NANOSECONDS.sleep(ACCEPT_INTERVAL.toNanos());
                }
            } catch (IOException e) {
                if (closed || !pauseAfter(e)) {
                    return;
                }
            } catch (InterruptedException _) {
                return;
            }
        }
    }

    /// A want of descriptors passes; without this thread no node proxy would ever come back.
    ///
    /// @return false when the thread is to end
    private boolean pauseAfter(IOException failure) {
        LOG.error("zds={} cannot accept a node proxy, tried again", server.path(), failure);
        try {
            TimeUnit.NANOSECONDS.sleep(ACCEPT_RETRY.toNanos());
            return true;
        } catch (InterruptedException _) {
            return false;
        }
    }

    /// In one step, so that no pod is missed or sent twice: what comes later goes into the queue behind the snapshot.
    private synchronized void join(Session session) {
        pods.values().forEach(pod -> session.submit(new Job.SendAdd(pod, new CompletableFuture<>())));
        session.submit(new Job.SendSnapshot());
        sessions.add(session);
    }

    /// If the newest is gone, the one before it is the newest again: what its successor had opened is kept,
    /// and has to be accepted from.
    private synchronized void part(Session session) {
        boolean newest = !sessions.isEmpty() && sessions.getLast() == session;
        sessions.remove(session);
        if (newest && !closed && !sessions.isEmpty() && sessions.getLast().wire.handsOver()) {
            var heir = sessions.getLast();
            pods.values().forEach(pod -> heir.submit(new Job.SendAdd(pod, new CompletableFuture<>())));
        }
    }

    /// What a proxy answered, and when one came.
    public interface Observer {
        /// On the connection's thread; must not block.
        ///
        /// @param error "" if the proxy took the pod
        void answered(String uid, String error);

        /// A proxy has connected and has been told of all pods. Must not block.
        void connected();
    }

    private sealed interface Job {
        record SendAdd(KnownPod pod, CompletableFuture<Void> result) implements Job {}

        record SendDel(Del del, CompletableFuture<Void> result) implements Job {}

        record SendSnapshot() implements Job {}
    }

    /// One proxy.
    private final class Session implements Runnable {
        private final ZdsAgentSession wire;
        private final BlockingQueue<Job> jobs = new LinkedBlockingQueue<>();
        private final Thread thread;
        private @Nullable IOException failure; // guarded by jobs
        private volatile boolean hasSnapshot;
        private volatile long pid;

        Session(SeqPacketSocket socket) {
            this.wire = new ZdsAgentSession(socket);
            this.thread = Thread.ofPlatform().daemon().name("zds-session").unstarted(this);
        }

        void start() {
            thread.start();
        }

        void end() {
            wire.close();
            thread.interrupt();
        }

        void submit(Job job) {
            synchronized (jobs) {
                if (failure == null) {
                    jobs.add(job);
                    return;
                }
            }
            fail(job, failure);
        }

        @Override
        public void run() {
            IOException end = null;
            try {
                wire.awaitHello();
                pid = wire.peerPid();
                join(this);
                while (!closed) {
                    var job = jobs.poll(ZdsAgentSession.LIVENESS_INTERVAL.toNanos(), TimeUnit.NANOSECONDS);
                    if (job == null) {
                        wire.requireSilence();
                    } else {
                        perform(job);
                    }
                }
            } catch (IOException e) {
                end = e;
            } catch (InterruptedException _) { // end()
            } finally {
                finish(end == null ? new IOException("the session with the node proxy is over") : end);
            }
        }

        private void perform(Job job) throws IOException {
            try {
                switch (job) {
                    case Job.SendAdd(var pod, var result) -> {
                        var error = pod.sendTo(wire);
                        if (error == null) {
                            result.completeExceptionally(new IOException("the pod has left meanwhile"));
                            return;
                        }
                        if (error.isEmpty()) {
                            result.complete(null);
                        } else {
                            result.completeExceptionally(new IOException("the node proxy refused the pod: " + error));
                        }
                        observer.answered(pod.uid(), error);
                    }
                    case Job.SendDel(var del, var result) -> {
                        var error = wire.del(del);
                        if (!error.isEmpty()) {
                            LOG.warn("uid={} the node proxy could not let go: {}", del.uid(), error);
                        }
                        result.complete(null);
                    }
                    case Job.SendSnapshot() -> {
                        var error = wire.snapshotSent();
                        if (!error.isEmpty()) {
                            throw new IOException("the node proxy refused the snapshot: " + error);
                        }
                        hasSnapshot = true;
                        LOG.info(
                                "zds={} a node proxy has connected and knows all pods pid={} hands.over={}",
                                server.path(),
                                pid,
                                wire.handsOver());
                        observer.connected();
                    }
                }
            } catch (IOException e) {
                fail(job, e);
                throw e;
            }
        }

        private void finish(IOException end) {
            part(this);
            wire.close();
            if (!closed) {
                LOG.warn("zds={} a node proxy is gone pid={}: {}", server.path(), pid, end.getMessage());
            }
            var left = new ArrayList<Job>();
            synchronized (jobs) {
                failure = end;
                jobs.drainTo(left);
            }
            left.forEach(job -> fail(job, end));
        }

        private static void fail(Job job, IOException cause) {
            switch (job) {
                case Job.SendAdd(var _, var result) -> result.completeExceptionally(cause);
                case Job.SendDel(var _, var result) -> result.completeExceptionally(cause);
                case Job.SendSnapshot() -> {}
            }
        }
    }
}
