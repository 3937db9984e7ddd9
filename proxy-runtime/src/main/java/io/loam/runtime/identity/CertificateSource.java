package io.loam.runtime.identity;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.protocol.tls.MeshTls;
import io.loam.runtime.time.Backoff;
import io.loam.runtime.time.Timer;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.PriorityQueue;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Executor;
import java.util.random.RandomGenerator;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The certificates of the workloads on this node, with their life cycle (wire reference, section 5; hazards I7,
/// I8, I9, I11).
///
/// A certificate is asked for when the first workload of an identity joins, renewed at half of its life,
/// and dropped when the last workload leaves. At most {@value #MOST_IN_FLIGHT} requests run at once; one
/// that a connection waits for goes before one for a workload that has just joined, and both go before
/// renewals. When a request fails, the identity pauses (from 1 s, doubling, to 100 s) and what is still
/// valid stays in use.
///
/// A certificate comes with the roots that its holder trusts, so roots change when certificates are renewed. Half
/// of a life is long to wait for that, and the protocol has no way for a CA to say that it is time. Two others say it
/// ({@link #rootsChanged}): the file of the CA's roots, which the operator's side replaces at once (Istio's is a
/// ConfigMap that istiod writes), and an answer of the CA whose roots are others than those before.
///
/// Thread-safe. The lock is held for map operations only; requests and TLS contexts are made on `executor`.
public final class CertificateSource {
    private static final Logger log = LoggerFactory.getLogger(CertificateSource.class);

    static final int MOST_IN_FLIGHT = 8;
    private static final Duration FIRST_PAUSE = Duration.ofSeconds(1);

    /// With jitter 2 min, the time in which all have to be renewed when the CA is back (hazard I9).
    private static final Duration LONGEST_PAUSE = Duration.ofSeconds(100);

    private static final double PAUSE_JITTER = 0.2;
    private static final double RENEWAL_JITTER = 0.1;

    /// Roots that have changed are fetched within this time, or a 200th of a certificate's life if that is less:
    /// soon, since somebody waits for it, but not by all agents at once.
    private static final Duration LONGEST_SPREAD = Duration.ofSeconds(10);

    private static final int SPREADS_IN_A_LIFE = 200;

    /// So many failures in a row end the patience of waiting connections. One or two are common where a pod has just
    /// started and the CA has not heard of it yet.
    private static final int FAILURES_BEFORE_WAITERS_HEAR = 3;

    /// In the order in which requests are served.
    private enum Priority {
        /// A connection waits.
        CONNECTION,
        /// A workload has just joined.
        WARM_UP,
        /// A renewal.
        BACKGROUND
    }

    private record Request(Entry entry, Priority priority, long sequence) {}

    private final CertificateAuthority authority;
    private final HandshakeTerms terms;
    private final Executor executor;
    private final Timer timer;
    private final RandomGenerator random;
    private final Object lock = new Object();
    private final Map<SpiffeId, Entry> entries = new HashMap<>();
    private final PriorityQueue<Request> queue =
            new PriorityQueue<>(Comparator.comparing(Request::priority).thenComparingLong(Request::sequence));
    /// Each set of roots that any answer had; a few in the life of a process.
    private final Set<Set<X509Certificate>> heardOf = new HashSet<>();

    private long sequence;
    private int inFlight;

    /// @param terms of the handshakes in which the certificates are used
    /// @param executor runs blocking requests, one task each: virtual threads
    public CertificateSource(
            CertificateAuthority authority,
            HandshakeTerms terms,
            Executor executor,
            Timer timer,
            RandomGenerator random) {
        this.authority = authority;
        this.terms = terms;
        this.executor = executor;
        this.timer = timer;
        this.random = random;
    }

    /// The certificate to present for an identity, at once if there is a valid one, otherwise when it arrives. Fails
    /// with {@link CertificateUnavailableException} when the CA refuses or stays away. Completes on any thread.
    public CompletionStage<MeshTls> get(SpiffeId identity) {
        synchronized (lock) {
            var entry = entries.computeIfAbsent(identity, Entry::new);
            var current = entry.current;
            if (current != null && timer.now().isBefore(current.notAfter())) {
                return CompletableFuture.completedStage(current);
            }
            if (entry.pause == null) {
                enqueue(entry, Priority.CONNECTION);
            } else if (entry.failures >= FAILURES_BEFORE_WAITERS_HEAR) {
                return CompletableFuture.failedStage(entry.unavailable());
            }
            if (entry.waiting == null) {
                entry.waiting = new CompletableFuture<>();
            }
            return entry.waiting.minimalCompletionStage();
        }
    }

    /// A workload of this identity joined.
    public void prefetch(SpiffeId identity) {
        synchronized (lock) {
            var entry = entries.computeIfAbsent(identity, Entry::new);
            entry.users++;
            if (entry.current == null && entry.pause == null) {
                enqueue(entry, Priority.WARM_UP);
            }
        }
    }

    /// A workload of this identity left; with the last one the certificate goes too.
    public void forget(SpiffeId identity) {
        synchronized (lock) {
            var entry = entries.get(identity);
            if (entry == null || --entry.users > 0) {
                return;
            }
            entries.remove(identity);
            entry.cancelTimers();
            queue.removeIf(request -> request.entry == entry);
            entry.queued = null;
            if (!entry.running) {
                entry.failWaiting("its last workload left");
            }
        }
    }

    /// The CA may trust other roots than it did: all certificates are renewed within some seconds. Any thread.
    public void rootsChanged() {
        synchronized (lock) {
            entries.values().forEach(entry -> renewSoon(entry, true));
        }
    }

    /// Renews all certificates now, eight at a time. Any thread.
    ///
    /// @return how many
    public int renewAll() {
        synchronized (lock) {
            entries.values().forEach(entry -> renewSoon(entry, false));
            return entries.size();
        }
    }

    private static boolean sameRoots(MeshTls one, MeshTls other) {
        return Set.copyOf(one.roots()).equals(Set.copyOf(other.roots()));
    }

    /// What waits for the CA after a failure gets the newest anyway.
    private void renewSoon(Entry entry, boolean spread) {
        var tls = entry.current;
        if (entry.running) {
            entry.outdated = true;
        } else if (tls != null && entry.pause == null && entry.queued == null && !(spread && entry.soon)) {
            entry.soon = true;
            renewAfter(spread ? withinSpread(tls) : Duration.ZERO, entry);
        }
    }

    private Duration withinSpread(MeshTls tls) {
        var share = Duration.between(tls.notBefore(), tls.notAfter()).dividedBy(SPREADS_IN_A_LIFE);
        var spread = share.compareTo(LONGEST_SPREAD) < 0 ? share : LONGEST_SPREAD;
        return Duration.ofNanos((long) (spread.toNanos() * random.nextDouble()));
    }

    private void renewAfter(Duration delay, Entry entry) {
        if (entry.renewal != null) {
            entry.renewal.cancel();
        }
        entry.renewal = timer.after(delay, () -> renew(entry));
    }

    /// For the configuration dump.
    public List<CertificateState> states() {
        synchronized (lock) {
            var states = new ArrayList<CertificateState>(entries.size());
            entries.values().forEach(e -> states.add(new CertificateState(e.identity, e.current, e.lastError)));
            return states;
        }
    }

    private void enqueue(Entry entry, Priority priority) {
        if (entry.running) {
            return;
        }
        var queued = entry.queued;
        if (queued != null) {
            if (queued.priority.compareTo(priority) <= 0) {
                return;
            }
            queue.remove(queued);
        }
        var request = new Request(entry, priority, sequence++);
        entry.queued = request;
        queue.add(request);
        startNext();
    }

    private void startNext() {
        while (inFlight < MOST_IN_FLIGHT) {
            var request = queue.poll();
            if (request == null) {
                return;
            }
            var entry = request.entry;
            entry.queued = null;
            entry.running = true;
            inFlight++;
            executor.execute(() -> request(entry));
        }
    }

    private void request(Entry entry) {
        try {
            var tls = MeshTls.of(authority.certify(entry.identity), terms, timer::now);
            finish(entry, tls, null);
        } catch (IOException | GeneralSecurityException | RuntimeException | Error e) {
            finish(entry, null, e); // whatever it is: a request that never ends would hold its place for ever
        }
    }

    private void finish(Entry entry, @Nullable MeshTls tls, @Nullable Throwable failure) {
        CompletableFuture<MeshTls> answered = null;
        synchronized (lock) {
            inFlight--;
            entry.running = false;
            boolean wanted = entries.get(entry.identity) == entry;
            if (tls != null) {
                answered = entry.waiting;
                entry.waiting = null;
                if (wanted) {
                    succeed(entry, tls);
                }
            } else if (wanted) {
                fail(entry, failure);
            } else {
                entry.failWaiting("its last workload left");
            }
            startNext();
        }
        if (answered != null && tls != null) {
            answered.complete(tls);
        }
    }

    private void succeed(Entry entry, MeshTls tls) {
        var before = entry.current;
        boolean renewed = before != null;
        entry.current = tls;
        entry.lastError = null;
        entry.failures = 0;
        entry.backoff.reset();
        entry.soon = entry.outdated && (before == null || sameRoots(before, tls));
        entry.outdated = false;
        var delay = entry.soon ? withinSpread(tls) : untilRenewal(tls);
        log.info(
                "certificate {} identity={} until={} renewal.in={}",
                renewed ? "renewed" : "received",
                entry.identity,
                tls.notAfter(),
                delay);
        renewAfter(delay, entry); // a timer may be there: a jump of the wall clock ends certificates before theirs runs
        var roots = Set.copyOf(tls.roots());
        // Once for each set: two CAs that do not agree would have us renew for ever.
        if (heardOf.add(roots) && heardOf.size() > 1) {
            entries.values().stream()
                    .filter(other -> other != entry && !other.trusts(roots))
                    .forEach(other -> renewSoon(other, true));
        }
    }

    /// Half of the life, ± 10 %, so that identities that came together do not stay together (hazard I7). A clock that
    /// is behind the CA's asks again soon, but never in a tight loop.
    private Duration untilRenewal(MeshTls tls) {
        var now = timer.now();
        var life = Duration.between(tls.notBefore(), tls.notAfter());
        double share = 0.5 * (1 + RENEWAL_JITTER * (2 * random.nextDouble() - 1));
        var due = tls.notBefore().plusNanos((long) (life.toNanos() * share));
        var delay = now.isBefore(tls.notBefore()) ? FIRST_PAUSE : Duration.between(now, due);
        return delay.compareTo(FIRST_PAUSE) < 0 ? FIRST_PAUSE : delay;
    }

    private void renew(Entry entry) {
        synchronized (lock) {
            entry.renewal = null;
            entry.soon = false;
            if (entries.get(entry.identity) != entry) {
                return;
            }
            if (entry.users == 0) {
                entries.remove(entry.identity); // a connection came when the last workload had just left
            } else if (entry.pause == null) {
                enqueue(entry, Priority.BACKGROUND);
            }
        }
    }

    private void fail(Entry entry, @Nullable Throwable failure) {
        entry.failures++;
        entry.outdated = false; // it is asked for again
        entry.lastError = reasonOf(failure);
        entry.lastFailure = failure;
        var pause = entry.backoff.pause();
        log.warn(
                "certificate request failed identity={} failures={} retry.in={} valid.until={} reason={}",
                entry.identity,
                entry.failures,
                pause,
                entry.current == null ? "none" : entry.current.notAfter(),
                entry.lastError);
        log.debug("certificate request failed identity={}", entry.identity, failure);
        if (entry.failures >= FAILURES_BEFORE_WAITERS_HEAR) {
            entry.failWaiting(entry.lastError);
        }
        entry.pause = timer.after(pause, () -> retry(entry));
    }

    /// An Error is a bug of ours, and its message alone may say nothing.
    private static String reasonOf(@Nullable Throwable failure) {
        return switch (failure) {
            case null -> "unknown";
            case Error bug -> bug.toString();
            default -> String.valueOf(failure.getMessage());
        };
    }

    private void retry(Entry entry) {
        synchronized (lock) {
            entry.pause = null;
            if (entries.get(entry.identity) != entry) {
                return;
            }
            if (entry.users > 0 || entry.waiting != null) {
                enqueue(entry, entry.waiting != null ? Priority.CONNECTION : Priority.BACKGROUND);
            } else if (entry.current == null) {
                entries.remove(entry.identity); // nobody asks any more
            }
        }
    }

    /// Guarded by `lock`.
    private final class Entry {
        final SpiffeId identity;
        final Backoff backoff = new Backoff(FIRST_PAUSE, LONGEST_PAUSE, PAUSE_JITTER, random);
        int users;
        int failures;
        boolean running;

        /// Roots may have changed since the request that runs was sent: its answer counts if they are others.
        boolean outdated;

        /// Its renewal is not left to half of its life.
        boolean soon;

        @Nullable
        Request queued;

        @Nullable
        MeshTls current;

        @Nullable
        CompletableFuture<MeshTls> waiting;

        @Nullable
        String lastError;

        @Nullable
        Throwable lastFailure;

        Timer.@Nullable Scheduled renewal;
        Timer.@Nullable Scheduled pause;

        Entry(SpiffeId identity) {
            this.identity = identity;
        }

        /// False also while it is not known what the answer under way will say.
        boolean trusts(Set<X509Certificate> roots) {
            return !running && current != null && Set.copyOf(current.roots()).equals(roots);
        }

        CertificateUnavailableException unavailable() {
            return new CertificateUnavailableException(
                    identity, lastError == null ? "not asked for" : lastError, lastFailure);
        }

        /// Completes outside the caller's stack, since a waiter's continuation may call back into this class.
        void failWaiting(String reason) {
            var waiter = waiting;
            if (waiter != null) {
                waiting = null;
                var failure = new CertificateUnavailableException(identity, reason, lastFailure);
                executor.execute(() -> waiter.completeExceptionally(failure));
            }
        }

        void cancelTimers() {
            if (renewal != null) {
                renewal.cancel();
            }
            if (pause != null) {
                pause.cancel();
            }
        }
    }
}
