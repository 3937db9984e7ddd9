package io.loam.ca;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.rpc.ServingCertificate;
import io.loam.protocol.tls.Pem;
import java.net.InetAddress;
import java.nio.file.Path;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.List;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Issues certificates from keys in a directory. Who may have one is decided before ({@link ImpersonationCheck}).
///
/// Blocking and safe for all threads. The directory holds PEM files under Istio's names: `ca-cert.pem` and
/// `ca-key.pem` (what signs leaves), `cert-chain.pem` (from there up), `root-cert.pem` (everything trusted).
/// Where there are none, a root and an intermediate are made, and `root-key.pem` is kept beside them so that the
/// intermediate can be renewed.
public final class CertificateAuthority {
    private static final Logger LOG = LoggerFactory.getLogger(CertificateAuthority.class);

    /// `SECRET_TTL` of the wire reference, section 5.
    public static final Duration DEFAULT_VALIDITY = Duration.ofHours(24);

    /// `MAX_WORKLOAD_CERT_TTL` of the wire reference, section 5.
    public static final Duration MAX_VALIDITY = Duration.ofDays(90);

    private final AuthorityStore store;
    private final InstantSource clock;
    private volatile Issuer issuer;

    private CertificateAuthority(AuthorityStore store, Issuer issuer, InstantSource clock) {
        this.store = store;
        this.issuer = issuer;
        this.clock = clock;
    }

    /// Uses the keys in the directory; where there are none, makes a root and an intermediate and stores them,
    /// readable for the owner only.
    ///
    /// @throws AuthorityException if there are files that cannot be used: incomplete, expired, not a CA, or not
    ///     belonging together
    public static CertificateAuthority openOrCreate(Path directory, InstantSource clock) throws AuthorityException {
        var store = new AuthorityStore(directory, clock);
        return new CertificateAuthority(store, store.openOrCreate(), clock);
    }

    /// Uses keys that somebody else put into the directory, and makes none.
    ///
    /// @throws AuthorityException as {@link #openOrCreate}, or if the directory holds no keys
    public static CertificateAuthority pluggedIn(Path directory, InstantSource clock) throws AuthorityException {
        var store = new AuthorityStore(directory, clock);
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
        return new IssuedCertificate(leaf, signer.intermediates(), signer.roots());
    }

    /// Renews an intermediate of our own making in time, so that leaves are never cut short by it.
    private Issuer issuerAt(Instant now) {
        var current = issuer;
        if (!store.renewalDue(current, now)) {
            return current;
        }
        synchronized (this) {
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
