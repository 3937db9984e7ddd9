package io.loam.runtime.identity;

import io.loam.protocol.tls.PeerChain;
import io.loam.protocol.tls.RevocationLists;
import io.loam.protocol.tls.Revocations;
import io.loam.runtime.admin.Readiness;
import io.loam.runtime.metrics.Reporter;
import io.loam.runtime.time.Timer;
import io.prometheus.metrics.core.datapoints.CounterDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.concurrent.atomic.AtomicBoolean;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The revocation lists of the file `CRL_PATH` (wire reference, 2.1 and 8.1; hazard I6). Looked at four
/// times a second; a file that was put in the place of the one before counts at once; one that was changed when it
/// has rested for that long, so that it is not taken for a short one while it is being written, or after a second
/// at the latest. Then every open tunnel is asked again.
///
/// Before the file was read for the first time nobody is trusted and the agent is not ready. One that
/// disappears, or that cannot be read in full, takes nothing back: what was revoked stays revoked.
///
/// Thread-safe. Files are read on `executor`, once at a time.
public final class RevocationFile implements Revocations {
    private static final Logger log = LoggerFactory.getLogger(RevocationFile.class);

    static final Duration LOOK = Duration.ofMillis(250);
    private static final int MOST_RESTLESS_LOOKS = 4;

    /// Some 25,000 certificates. The lists before and the new ones are in our heap together, at some 300
    /// bytes each.
    private static final long MOST_BYTES = 1 << 20;

    private final Path file;
    private final Timer timer;
    private final Executor executor;
    private final Readiness readiness;
    private final Set<Watched> watched = ConcurrentHashMap.newKeySet();
    private final CounterDataPoint refusedClients;
    private final CounterDataPoint refusedServers;
    private final String pending;

    /// Null before the first was read.
    private volatile @Nullable RevocationLists lists;

    // Of the reading task alone; one follows the other.
    private @Nullable Stamp tried;
    private @Nullable Stamp seen;
    private int restless;

    /// What changes when somebody writes the file or puts another in its place; links are followed, since
    /// Kubernetes swaps one.
    private record Stamp(@Nullable Object key, long bytes, FileTime written) {
        static final Stamp ABSENT = new Stamp(null, -1, FileTime.fromMillis(0));

        /// Put in place as a whole: nobody is writing it. One that is written nevertheless cannot be read in full.
        boolean replaces(@Nullable Stamp before) {
            return before == null || (bytes > 0 && !Objects.equals(key, before.key));
        }
    }

    private record Watched(PeerChain peer, PeerRole role, Runnable cut, AtomicBoolean done) {}

    /// Reads the file for the first time, and watches it from then on.
    ///
    /// @param executor runs blocking tasks: virtual threads
    public RevocationFile(Path file, Timer timer, Executor executor, Readiness readiness, PrometheusRegistry registry) {
        this.file = file;
        this.timer = timer;
        this.executor = executor;
        this.readiness = readiness;
        pending = "revocation lists in " + file;
        var refused = Counter.builder()
                .name("istio_crl_policy_rejections_total")
                .help("Handshakes refused and tunnels cut because a certificate of the peer is revoked.")
                .labelNames("reporter")
                .register(registry);
        refusedClients = refused.labelValues(Reporter.DESTINATION.label());
        refusedServers = refused.labelValues(Reporter.SOURCE.label());
        var _ = GaugeWithCallback.builder()
                .name("loam_crl_revoked_certificates")
                .help("Certificates on the revocation lists in force; -1 before any was read.")
                .callback(value -> value.call(size()))
                .register(registry);
        readiness.pending(pending);
        look();
    }

    private double size() {
        var current = lists;
        return current == null ? -1 : current.size();
    }

    private void look() {
        try {
            var now = stamp();
            boolean changed = !now.equals(tried);
            boolean rests = now.replaces(tried) || now.equals(seen) || ++restless >= MOST_RESTLESS_LOOKS;
            seen = now;
            if (changed && rests) {
                tried = now;
                restless = 0;
                read(now);
            } else if (!changed) {
                restless = 0;
            }
        } catch (IOException e) {
            log.warn("revocation lists not looked at file={}", file, e);
        } finally {
            var _ = timer.after(LOOK, () -> executor.execute(this::look));
        }
    }

    private Stamp stamp() throws IOException {
        if (!Files.exists(file)) {
            return Stamp.ABSENT;
        }
        var attributes = Files.readAttributes(file, BasicFileAttributes.class);
        return new Stamp(attributes.fileKey(), attributes.size(), attributes.lastModifiedTime());
    }

    private void read(Stamp stamp) {
        var inForce = lists == null ? "nobody is trusted until it can be" : "the lists read before stay in force";
        if (stamp.equals(Stamp.ABSENT)) {
            log.error("revocation lists missing file={}: {}", file, inForce);
            return;
        }
        if (stamp.bytes > MOST_BYTES) {
            log.error(
                    "revocation lists too large file={} bytes={} (expected: at most {}): {}",
                    file,
                    stamp.bytes,
                    MOST_BYTES,
                    inForce);
            return;
        }
        try {
            publish(RevocationLists.read(Files.readAllBytes(file)));
        } catch (IOException | GeneralSecurityException e) {
            log.error("revocation lists unreadable file={}: {}", file, inForce, e);
        }
    }

    private void publish(RevocationLists read) {
        lists = read; // before the tunnels are asked, see watch()
        readiness.done(pending);
        int cut = 0;
        for (var tunnel : watched) {
            cut += cutIfRevoked(tunnel, read) ? 1 : 0;
        }
        log.info(
                "revocation lists read file={} lists={} revoked={} cut.tunnels={}",
                file,
                read.lists(),
                read.size(),
                cut);
    }

    @Override
    public Optional<String> refusal(PeerChain peer, PeerRole role) {
        var current = lists;
        var refusal = current == null
                ? Optional.of("nobody is trusted before the revocation lists in " + file + " can be read")
                : current.revoked(peer);
        if (refusal.isPresent()) {
            count(role);
        }
        return refusal;
    }

    /// Added first and asked then: lists that come in between are seen by one of the two.
    @Override
    public Runnable watch(PeerChain peer, PeerRole role, Runnable cut) {
        var tunnel = new Watched(peer, role, cut, new AtomicBoolean());
        watched.add(tunnel);
        var current = lists;
        if (current != null) {
            cutIfRevoked(tunnel, current);
        }
        return () -> watched.remove(tunnel);
    }

    private boolean cutIfRevoked(Watched tunnel, RevocationLists current) {
        var revoked = current.revoked(tunnel.peer);
        if (revoked.isEmpty() || tunnel.done.getAndSet(true)) {
            return false;
        }
        count(tunnel.role);
        log.warn("tunnel cut: {}", revoked.get());
        tunnel.cut.run();
        return true;
    }

    private void count(PeerRole role) {
        switch (role) {
            case CLIENT -> refusedClients.inc();
            case SERVER -> refusedServers.inc();
        }
    }

    /// Tunnels that would be cut if their peer's certificate were revoked.
    int watched() {
        return watched.size();
    }
}
