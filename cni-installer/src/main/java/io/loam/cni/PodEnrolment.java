package io.loam.cni;

import io.loam.cni.command.CommandException;
import io.loam.cni.command.Commands;
import io.loam.cni.rules.PodAnnotations;
import io.loam.cni.rules.PodRedirection;
import io.loam.cni.rules.PodRules;
import io.loam.cni.rules.ProbeRules;
import io.loam.cni.zds.ZdsServer;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.io.IOException;
import java.nio.file.Files;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One pod's way into the mesh and out of it, in straight lines on a virtual thread of its own.
///
/// In: rules, namespace to the proxy and its ack, probe addresses; what fails is repeated with growing pauses until it
/// works or the pod leaves. Out: redirection stops, the proxies are told, and when the last redirected connection has
/// ended nothing remains in the pod. A pod whose namespace path has gone needs no cleaning, nor has one whose path
/// leads
/// to another namespace by now: a pod that was made anew under the same name, and its rules are its own.
final class PodEnrolment implements Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(PodEnrolment.class);

    private static final Duration FIRST_PAUSE = Duration.ofMillis(5); // wire reference, 6.3
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(5);
    private static final Duration ZDS_ANSWER = Duration.ofSeconds(20);
    /// C11: a pod that has left is clean within 2 s of its last connection.
    private static final Duration LEAVING_INTERVAL = Duration.ofMillis(500);

    private final EnrolledPod pod;
    private final @Nullable PodEnrolment predecessor;
    private final ZdsServer zds;
    private final ProbeRules probes;
    private final RedirectedConnections connections;
    private final EnrolmentListener listener;
    private final PodRedirection redirection;
    private final boolean dnsCapture;
    private final boolean ipv6;

    /// Open from the first look to the end, so that no later namespace has its inode. Of the enrolment's thread.
    private @Nullable Netns namespace;

    private final CompletableFuture<Void> enrolled = new CompletableFuture<>();
    private final CompletableFuture<Void> left = new CompletableFuture<>();
    private final CompletableFuture<Void> ended = new CompletableFuture<>();

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();
    // Guarded by lock.
    private boolean withdrawn;
    private boolean superseded; // a successor takes over: leave its rules alone
    private boolean retryNow;
    private boolean complete;
    private @Nullable String refusal;

    PodEnrolment(
            EnrolledPod pod,
            @Nullable PodEnrolment predecessor,
            NodeEnrollerConfig config,
            Commands commands,
            ZdsServer zds,
            ProbeRules probes,
            RedirectedConnections connections,
            EnrolmentListener listener) {
        this.pod = pod;
        this.predecessor = predecessor;
        this.zds = zds;
        this.probes = probes;
        this.connections = connections;
        this.listener = listener;
        this.redirection = new PodRedirection(commands.inside(pod.netns()));
        this.dnsCapture = config.dnsCapture();
        this.ipv6 = config.ipv6();
    }

    EnrolledPod pod() {
        return pod;
    }

    /// Completes with the first success, fails if the pod leaves before.
    CompletableFuture<Void> enrolled() {
        return enrolled;
    }

    /// Completes when redirection has stopped and the proxies know.
    CompletableFuture<Void> left() {
        return left;
    }

    boolean isWithdrawn() {
        lock.lock();
        try {
            return withdrawn;
        } finally {
            lock.unlock();
        }
    }

    void withdraw() {
        signal(() -> withdrawn = true);
    }

    /// Ends this enrolment without leaving: the successor for the same pod starts where this one is.
    void supersede() {
        signal(() -> {
            withdrawn = true;
            superseded = true;
        });
    }

    /// A proxy has connected: no reason to wait any longer.
    void retryNow() {
        signal(() -> retryNow = true);
    }

    /// The proxy's answer to one of the adds it got, in a snapshot perhaps.
    ///
    /// @param error "" if it took the pod
    void answered(String error) {
        signal(() -> {
            if (complete && !error.isEmpty()) {
                refusal = error;
            }
        });
    }

    private void signal(Runnable change) {
        lock.lock();
        try {
            change.run();
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    @Override
    public void run() {
        try {
            if (predecessor != null) {
                predecessor.ended.get();
                removeFormerAddresses(predecessor.pod);
            }
            lookForNamespace();
            enrolUntilWithdrawn();
            enrolled.completeExceptionally(new IOException("pod " + pod.uid() + " left before it was enrolled"));
            if (!isSuperseded()) {
                leave();
                listener.left(pod.uid());
                left.complete(null);
                removeWhenUnused();
            }
        } catch (InterruptedException _) { // the enroller closes: rules stay as they are
        } catch (ExecutionException | RuntimeException e) {
            LOG.error("uid={} enrolment ended by a bug", pod.uid(), e);
            listener.pending(pod.uid(), "internal error: " + e.getMessage());
        } finally {
            enrolled.completeExceptionally(new IOException("the enrolment of pod " + pod.uid() + " has ended"));
            left.complete(null);
            if (namespace != null) {
                namespace.close();
            }
            ended.complete(null);
        }
    }

    /// Missing where a pod is announced before its namespace is made: {@link #enrolOnce} needs it.
    private void lookForNamespace() {
        try {
            namespace = Netns.open(pod.netns());
        } catch (IOException e) {
            LOG.debug("uid={} has no namespace yet: {}", pod.uid(), e.getMessage());
        }
    }

    /// Whether the pod's path leads to its namespace still.
    private boolean isThere() {
        if (namespace == null) {
            return false;
        }
        try {
            return Files.getAttribute(pod.netns(), "unix:ino").equals(namespace.inode());
        } catch (IOException _) {
            return false; // the path has gone
        }
    }

    private void removeFormerAddresses(EnrolledPod former) {
        var gone = former.addresses().stream()
                .filter(address -> !pod.addresses().contains(address))
                .toList();
        try {
            probes.remove(pod.uid(), gone);
        } catch (CommandException e) {
            LOG.warn("uid={} former addresses {} stay in the probe set: {}", pod.uid(), gone, e.getMessage());
        }
    }

    private void enrolUntilWithdrawn() throws InterruptedException {
        var pause = FIRST_PAUSE;
        while (!isWithdrawn()) {
            try {
                enrolOnce();
                signal(() -> complete = true);
                LOG.info("uid={} pod={}/{} enrolled", pod.uid(), pod.namespace(), pod.name());
                listener.enrolled(pod.uid()); // first: whoever waits for the result may look at what listeners did
                enrolled.complete(null);
                pause = FIRST_PAUSE;
                var refused = awaitRefusal();
                if (refused != null) {
                    listener.pending(pod.uid(), "the node proxy refused the pod: " + refused);
                }
            } catch (IOException | IllegalArgumentException e) {
                LOG.warn("uid={} pod={}/{} pending: {}", pod.uid(), pod.namespace(), pod.name(), e.getMessage());
                listener.pending(pod.uid(), String.valueOf(e.getMessage()));
                pause(pause);
                pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) < 0 ? pause.multipliedBy(2) : LONGEST_PAUSE;
            }
        }
    }

    private void enrolOnce() throws IOException, InterruptedException {
        if (namespace == null) {
            namespace = Netns.open(pod.netns());
        }
        var rules = rules();
        if (pod.running()) {
            offer();
            redirection.apply(rules);
        } else {
            redirection.apply(rules);
            offer();
        }
        probes.add(pod.uid(), pod.addresses());
    }

    private PodRules rules() {
        return PodRules.of(PodAnnotations.read(pod.annotations()), dnsCapture, ipv6);
    }

    private void offer() throws IOException, InterruptedException {
        var workload = new WorkloadInfo(pod.name(), pod.namespace(), pod.serviceAccount());
        var answer = zds.add(new Add(pod.uid(), workload), Netns.open(pod.netns()));
        try {
            answer.get(ZDS_ANSWER.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException e) {
            throw new IOException(
                    e.getCause() == null ? e.getMessage() : e.getCause().getMessage(), e);
        } catch (TimeoutException e) {
            throw new IOException("no answer from the node proxy within " + ZDS_ANSWER, e);
        }
    }

    private void leave() throws InterruptedException {
        var pause = FIRST_PAUSE;
        while (isThere()) {
            try {
                redirection.leave(leavingRules());
                break;
            } catch (CommandException e) {
                if (!isThere()) {
                    break; // it went while we were at it
                }
                LOG.warn("uid={} cannot stop redirection, trying again: {}", pod.uid(), e.getMessage());
                TimeUnit.NANOSECONDS.sleep(pause.toNanos());
                pause = pause.multipliedBy(2).compareTo(LONGEST_PAUSE) < 0 ? pause.multipliedBy(2) : LONGEST_PAUSE;
            }
        }
        try {
            probes.remove(pod.uid(), pod.addresses());
        } catch (CommandException e) {
            // An address too many in the set only makes probes of a pod outside the mesh come from another address.
            LOG.warn("uid={} its addresses stay in the probe set: {}", pod.uid(), e.getMessage());
        }
        try {
            zds.del(pod.uid()).get(ZDS_ANSWER.toNanos(), TimeUnit.NANOSECONDS);
        } catch (ExecutionException | TimeoutException e) {
            LOG.warn("uid={} a node proxy did not confirm that the pod left: {}", pod.uid(), e.toString());
        }
        LOG.info("uid={} pod={}/{} left", pod.uid(), pod.namespace(), pod.name());
    }

    /// The annotations no longer matter for rules that redirect nothing; they may even be the unreadable ones.
    private PodRules leavingRules() {
        return new PodRules(false, false, List.of(), ipv6);
    }

    private void removeWhenUnused() throws InterruptedException {
        while (!isSuperseded() && namespace != null && isThere()) {
            try {
                if (!connections.any(namespace)) {
                    removeUnlessSuperseded();
                    return;
                }
            } catch (IOException e) {
                if (isThere()) {
                    LOG.warn("uid={} cannot take the last rules away, trying again: {}", pod.uid(), e.getMessage());
                }
            }
            pause(LEAVING_INTERVAL);
        }
    }

    private void removeUnlessSuperseded() throws CommandException {
        if (!isSuperseded()) {
            redirection.remove(ipv6);
            LOG.info("uid={} nothing of the mesh remains in the pod", pod.uid());
        }
    }

    private boolean isSuperseded() {
        lock.lock();
        try {
            return superseded;
        } finally {
            lock.unlock();
        }
    }

    /// @return why the proxy gave the pod back, or null if the pod leaves
    private @Nullable String awaitRefusal() throws InterruptedException {
        lock.lock();
        try {
            while (!withdrawn && refusal == null) {
                changed.await();
            }
            var found = refusal;
            refusal = null;
            complete = false;
            return withdrawn ? null : found;
        } finally {
            lock.unlock();
        }
    }

    /// Waits, but no longer than until something has changed for this pod.
    private void pause(Duration time) throws InterruptedException {
        lock.lock();
        try {
            long leftNanos = time.toNanos();
            while (leftNanos > 0 && !retryNow && !(withdrawn && !left.isDone()) && !superseded) {
                leftNanos = changed.awaitNanos(leftNanos);
            }
            retryNow = false;
        } finally {
            lock.unlock();
        }
    }
}
