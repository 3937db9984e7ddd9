package io.loam.ca;

import io.loam.ca.AuthorityStore.FileStamp;
import io.loam.ca.CertificatesInUse.Holder;
import io.loam.ca.CertificatesInUse.Objection;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.rpc.ServingCertificate;
import io.loam.protocol.tls.Pem;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.BooleanSupplier;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Issues certificates from keys in a directory. Who may have one is decided before ({@link ImpersonationCheck}).
///
/// Blocking and safe for all threads. The directory holds PEM files under Istio's names: `ca-cert.pem` and
/// `ca-key.pem` (what signs leaves), `cert-chain.pem` (from there up), `root-cert.pem` (everything trusted).
/// Where there are none, a root and an intermediate are made, and `root-key.pem` is kept beside them so that the
/// intermediate can be renewed.
///
/// Files that change while this runs count as soon as they can be used ({@link #look}): all are read and checked
/// as they are at the start, and a root is neither signed under nor dropped before everybody who holds a certificate
/// can
/// bear it ({@link CertificatesInUse}). Until then the last good state stays and {@link #problem} says why.
public final class CertificateAuthority {
    private static final Logger LOG = LoggerFactory.getLogger(CertificateAuthority.class);

    /// `SECRET_TTL` of the wire reference, section 5.
    public static final Duration DEFAULT_VALIDITY = Duration.ofHours(24);

    /// `MAX_WORKLOAD_CERT_TTL` of the wire reference, section 5.
    public static final Duration MAX_VALIDITY = Duration.ofDays(90);

    private final AuthorityStore store;
    private final InstantSource clock;
    private final CertificatesInUse inUse = new CertificatesInUse();

    /// Read: a certificate is issued and noted. Write: the issuer is changed, with all that is issued noted.
    private final ReadWriteLock changing = new ReentrantReadWriteLock();

    private final List<Runnable> listeners = new CopyOnWriteArrayList<>();
    private volatile Issuer issuer;
    private volatile @Nullable AuthorityException problem;

    private final Object renewing = new Object();

    // Guarded by this; what was read at the start is read once more.
    private List<FileStamp> tried = List.of();
    private List<FileStamp> seen = List.of();

    /// Whether what the files say could be used, but for certificates in use.
    private boolean waits;

    private CertificateAuthority(AuthorityStore store, Issuer issuer, InstantSource clock) {
        this.store = store;
        this.issuer = issuer;
        this.clock = clock;
        LOG.info("ca {}", issuer);
    }

    /// Uses the keys in the directory; where there are none, makes a root and an intermediate and stores them,
    /// readable for the owner only.
    ///
    /// @throws AuthorityException if there are files that cannot be used: incomplete, expired, not a CA, or not
    ///     belonging together
    public static CertificateAuthority openOrCreate(Path directory, InstantSource clock) throws AuthorityException {
        var store = new AuthorityStore(directory, true, clock);
        var issuer = store.openOrCreate();
        return new CertificateAuthority(store, issuer, clock);
    }

    /// Uses keys that somebody else put into the directory, and makes none.
    ///
    /// @throws AuthorityException as {@link #openOrCreate}, or if the directory holds no keys
    public static CertificateAuthority pluggedIn(Path directory, InstantSource clock) throws AuthorityException {
        var store = new AuthorityStore(directory, false, clock);
        return new CertificateAuthority(store, store.open(), clock);
    }

    /// All roots that are trusted now.
    public List<X509Certificate> roots() {
        return issuer.roots();
    }

    /// What goes into the `root-cert.pem` of agents.
    public String rootsPem() {
        return Pem.encode(roots());
    }

    /// Calls `listener` after each change of the signer or of the trusted roots, on the thread that finds it.
    public void addListener(Runnable listener) {
        listeners.add(listener);
    }

    /// Why the files as they are now are not in force; empty if they are.
    public Optional<AuthorityException> problem() {
        return Optional.ofNullable(problem);
    }

    /// Takes on what the files say, if they have changed and rested since the last call: somebody who replaces several
    /// of them is not taken at half of it. Blocks for files; for one thread, several times a second.
    public void look() {
        boolean changed;
        synchronized (this) {
            try {
                var now = store.stamps();
                boolean rests = now.equals(seen);
                seen = now;
                if (!rests || (now.equals(tried) && !waits)) {
                    return;
                }
                tried = now;
                waits = false;
                changed = takeOn(store.open());
                problem = null;
            } catch (AuthorityException e) {
                report(e);
                return;
            } catch (IOException e) {
                LOG.warn("ca files not looked at", e);
                return;
            }
        }
        if (changed) {
            listeners.forEach(this::tell);
        }
    }

    private void tell(Runnable listener) {
        try {
            listener.run();
        } catch (RuntimeException | Error e) { // the others hear of it all the same, and the next look comes
            LOG.error("ca change not passed on: {}", issuer, e);
        }
    }

    /// Says each thing once.
    private void report(AuthorityException refused) {
        var before = problem;
        problem = refused;
        if (before != null
                && before.file().equals(refused.file())
                && before.detail().equals(refused.detail())) {
            return;
        }
        if (waits) {
            LOG.warn("ca files not in force yet: {}; as before: {}", refused.getMessage(), issuer);
        } else {
            LOG.error("ca files cannot be used: {}; as before: {}", refused.getMessage(), issuer);
        }
    }

    /// @return whether that changes anything
    private boolean takeOn(Issuer next) throws AuthorityException {
        changing.writeLock().lock();
        try {
            if (next.isAs(issuer)) {
                return false;
            }
            var objection = inUse.objection(next, clock.instant());
            if (objection.isPresent()) {
                waits = true;
                throw refusal(objection.get());
            }
            LOG.info("ca changed: {}, before: {}", next, issuer);
            issuer = next;
            return true;
        } finally {
            changing.writeLock().unlock();
        }
    }

    private AuthorityException refusal(Objection objection) {
        var root = "\"" + objection.root().getSubjectX500Principal() + "\"";
        var whose = objection.certificates() + " certificates in use (" + objection.one() + ", …)";
        return switch (objection.missing()) {
            case WITH_HOLDERS ->
                new AuthorityException(
                        store.signerFile(),
                        "signs under " + root + ", which holders of " + whose + " do not trust yet (expected: "
                                + store.rootFile() + " has both roots first; agents renew then, by "
                                + objection.until() + " at the latest)");
            case IN_BUNDLE ->
                new AuthorityException(
                        store.rootFile(),
                        "lacks " + root + ", under which " + whose + " were issued (expected: it stays until they are"
                                + " renewed, by " + objection.until()
                                + " at the latest; a restart of the CA drops it at once)");
        };
    }

    /// As {@link #issueWorkload(SpiffeId, String, Duration)}, for somebody who is going to show the certificate: roots
    /// are not changed under his feet.
    ///
    /// @param held whether `holder` may still have it; asked on any thread
    IssuedCertificate issueWorkload(
            SpiffeId identity, String csrPem, Duration requested, Holder holder, BooleanSupplier held)
            throws RequestRefusedException {
        changing.readLock().lock();
        try {
            var issued = issueWorkload(identity, csrPem, requested);
            inUse.issued(holder, issued, clock.instant(), held);
            return issued;
        } finally {
            changing.readLock().unlock();
        }
    }

    /// @param identity the only name in the certificate
    /// @param csrPem gives the public key and nothing else
    /// @param requested zero or negative = {@link #DEFAULT_VALIDITY}
    /// @throws RequestRefusedException if the request is malformed, its key too weak, its signature wrong, or the
    ///     validity above {@link #MAX_VALIDITY}
    public IssuedCertificate issueWorkload(SpiffeId identity, String csrPem, Duration requested)
            throws RequestRefusedException {
        if (requested.compareTo(MAX_VALIDITY) > 0) {
            throw new RequestRefusedException("validity_duration: " + requested.toSeconds() + " s (expected: <= "
                    + MAX_VALIDITY.toSeconds() + " s)");
        }
        var validity = requested.isPositive() ? requested : DEFAULT_VALIDITY;
        var key = RequestedKey.of(csrPem);
        var name = new GeneralName(GeneralName.uniformResourceIdentifier, identity.toString());
        return issue(
                key.info(),
                new GeneralNames(name),
                validity,
                KeyPurposeId.id_kp_serverAuth,
                KeyPurposeId.id_kp_clientAuth);
    }

    /// A certificate with a fresh key for one of the mesh's own servers, valid {@link #DEFAULT_VALIDITY}.
    ///
    /// @param dnsNames and `addresses`: what clients may know the server by; at least one of the two not empty
    public ServingCertificate issueServing(List<String> dnsNames, List<InetAddress> addresses) {
        var names = new ArrayList<GeneralName>();
        dnsNames.forEach(name -> names.add(new GeneralName(GeneralName.dNSName, name)));
        addresses.forEach(address -> names.add(new GeneralName(GeneralName.iPAddress, address.getHostAddress())));
        if (names.isEmpty()) {
            throw new IllegalArgumentException("serving certificate: no names (expected: a DNS name or an address)");
        }
        var keys = AuthorityStore.newKeyPair();
        var issued = issue(
                SubjectPublicKeyInfo.getInstance(keys.getPublic().getEncoded()),
                new GeneralNames(names.toArray(GeneralName[]::new)),
                DEFAULT_VALIDITY,
                KeyPurposeId.id_kp_serverAuth);
        var chain = new ArrayList<X509Certificate>();
        chain.add(issued.leaf());
        chain.addAll(issued.intermediates());
        return new ServingCertificate(keys.getPrivate(), chain);
    }

    private IssuedCertificate issue(
            SubjectPublicKeyInfo key, GeneralNames names, Duration validity, KeyPurposeId... purposes) {
        var now = clock.instant();
        var signer = issuerAt(now);
        var end = signer.endNoLaterThan(now.plus(validity));
        if (!end.isAfter(now)) {
            throw new IllegalStateException(signer + " has expired: nothing it signs would be accepted");
        }
        var leaf = signer.sign(LeafProfile.of(signer, key, names, now, end, purposes));
        return new IssuedCertificate(leaf, signer.intermediates(), signer.root(), signer.roots());
    }

    /// Renews an intermediate of our own making in time, so that leaves are never cut short by it.
    private Issuer issuerAt(Instant now) {
        var current = issuer;
        if (!store.renewalDue(current, now)) {
            return current;
        }
        synchronized (renewing) {
            current = issuer;
            if (store.renewalDue(current, now)) {
                try {
                    current = store.renewIntermediate();
                    issuer = current;
                    LOG.info("ca intermediate renewed: {}", current);
                } catch (AuthorityException e) {
                    LOG.error("ca intermediate could not be renewed, the old one stays: {}", current, e);
                }
            }
            return current;
        }
    }
}
