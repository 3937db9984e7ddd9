package io.loam.ca;

import io.loam.model.identity.SpiffeId;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.BooleanSupplier;
import java.util.function.Predicate;

/// The certificates that workloads show each other now, as far as this process has issued them, and the rule by which
/// a root is replaced without a refused handshake (hazard I8): **whoever holds a certificate and whoever gets
/// the next one trust each other.** It follows that a new root is trusted by all before anything is signed
/// under it, and that the old one goes after the last certificate under it was renewed. Agents may be at
/// different stages meanwhile, for as long as they need.
///
/// A certificate is in use until it ends, its holder gets another, or its holder may not have it any more. An
/// answer that never reached its agent counts as received: that agent asks again, within two minutes. After a
/// restart only what was issued since is known.
///
/// Thread-safe.
final class CertificatesInUse {
    /// Certificates that have ended are forgotten when there are so many more than at the last look.
    private static final int LOOK_EVERY = 1000;

    private final Map<Holder, InUse> inUse = new ConcurrentHashMap<>();
    private volatile int kept;

    /// An agent shows one certificate for an identity.
    ///
    /// @param podUid of the agent or workload that asked
    record Holder(String podUid, SpiffeId identity) {}

    /// @param root it was issued under
    /// @param trusts the roots that came with it
    /// @param held whether its holder may still have it
    private record InUse(X509Certificate root, List<X509Certificate> trusts, Instant until, BooleanSupplier held) {}

    /// What speaks against a change, and how many certificates that is about.
    ///
    /// @param root that is missing
    /// @param one of the identities
    /// @param until the last of them ends by itself
    record Objection(Missing missing, X509Certificate root, int certificates, SpiffeId one, Instant until) {}

    enum Missing {
        /// Holders do not trust the root under which certificates would be signed from now on.
        WITH_HOLDERS,
        /// The bundle lacks the root of certificates in use.
        IN_BUNDLE
    }

    /// @param held asked on any thread, whenever somebody wants to change the roots
    void issued(Holder holder, IssuedCertificate issued, Instant now, BooleanSupplier held) {
        var until = issued.leaf().getNotAfter().toInstant();
        inUse.put(holder, new InUse(issued.root(), issued.roots(), until, held));
        if (inUse.size() > kept + LOOK_EVERY) {
            forget(entry -> !entry.until.isAfter(now));
        }
    }

    private void forget(Predicate<InUse> over) {
        inUse.values().removeIf(over);
        kept = inUse.size();
    }

    /// @return empty if holders of today and those who get certificates of `next` trust each other
    Optional<Objection> objection(Issuer next, Instant now) {
        forget(entry -> !entry.until.isAfter(now) || !entry.held.getAsBoolean());
        var believed = Set.copyOf(next.roots());
        var lost = new HashSet<X509Certificate>();
        var losing = new ArrayList<Map.Entry<Holder, InUse>>();
        var doubting = new ArrayList<Map.Entry<Holder, InUse>>();
        for (var entry : inUse.entrySet()) {
            if (!entry.getValue().trusts.contains(next.root())) {
                doubting.add(entry);
            }
            if (!believed.contains(entry.getValue().root)) {
                losing.add(entry);
                lost.add(entry.getValue().root);
            }
        }
        if (!doubting.isEmpty()) {
            return Optional.of(objection(Missing.WITH_HOLDERS, next.root(), doubting));
        }
        return losing.isEmpty()
                ? Optional.empty()
                : Optional.of(objection(Missing.IN_BUNDLE, lost.iterator().next(), losing));
    }

    private static Objection objection(Missing missing, X509Certificate root, List<Map.Entry<Holder, InUse>> about) {
        var until = about.stream()
                .map(entry -> entry.getValue().until)
                .max(Instant::compareTo)
                .orElseThrow();
        return new Objection(
                missing, root, about.size(), about.getFirst().getKey().identity(), until);
    }
}
