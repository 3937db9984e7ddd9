package io.loam.protocol.tls;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.PeerRefusedException.Reason;
import io.loam.protocol.tls.Revocations.PeerRole;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.cert.CertPathValidator;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.PKIXCertPathValidatorResult;
import java.security.cert.PKIXParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509Certificate;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Collections;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.stream.Collectors;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;
import org.jspecify.annotations.Nullable;

/// Decides inside the handshake whether the peer is who it must be (wire reference, 2.1). Host names and SNI play no
/// part. One context serves all destinations, so what a client expects is noted here per engine until the check takes
/// it; not in the session, which Netty empties when the handshake starts.
///
/// Runs on event loops, any number at once.
final class PeerTrust extends X509ExtendedTrustManager {
    /// Session value, set here after the checks passed: `SpiffeId`.
    static final String PROVED = "loam.peer-identity";

    /// Session value, set with {@link #PROVED}: `PeerChain`.
    static final String CHAIN = "loam.peer-chain";

    private static final String SERVER_AUTH = "1.3.6.1.5.5.7.3.1"; // RFC 5280, 4.2.1.12
    private static final String CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
    private static final X509Certificate[] NO_ISSUERS = {};

    private final Set<TrustAnchor> anchors;
    private final Set<X509Certificate> roots;
    private final String ownTrustDomain;
    private final Revocations revocations;
    private final InstantSource clock;
    /// Weak, for handlers that are thrown away before their handshake.
    private final Map<SSLEngine, Set<SpiffeId>> expectations = Collections.synchronizedMap(new WeakHashMap<>());

    PeerTrust(List<X509Certificate> roots, String ownTrustDomain, Revocations revocations, InstantSource clock) {
        this.roots = Set.copyOf(roots);
        this.anchors = roots.stream().map(root -> new TrustAnchor(root, null)).collect(Collectors.toUnmodifiableSet());
        this.ownTrustDomain = ownTrustDomain;
        this.revocations = revocations;
        this.clock = clock;
    }

    /// Notes whom a client's engine may accept; before its handshake.
    void expect(SSLEngine engine, Set<SpiffeId> identities) {
        expectations.put(engine, Set.copyOf(identities));
    }

    /// Whom a peer's certificates name, and what revocation lists can be asked about.
    record Proof(SpiffeId identity, PeerChain chain) {}

    /// The server's check: any workload of our own trust domain; what it may do is decided per stream.
    Proof checkClient(X509Certificate[] chain) throws PeerRefusedException {
        var links = checkChain(chain, CLIENT_AUTH, "clientAuth");
        var peer = PeerIdentities.require(chain[0]);
        if (!peer.trustDomain().equals(ownTrustDomain)) {
            throw new PeerRefusedException(
                    Reason.FOREIGN_TRUST_DOMAIN, peer + " (expected: trust domain " + ownTrustDomain + ")");
        }
        return notRevoked(new Proof(peer, links), PeerRole.CLIENT);
    }

    /// The client's check: exactly one of those that may answer.
    Proof checkServer(X509Certificate[] chain, Set<SpiffeId> expected) throws PeerRefusedException {
        var links = checkChain(chain, SERVER_AUTH, "serverAuth");
        var peer = PeerIdentities.require(chain[0]);
        if (!expected.contains(peer)) {
            throw new PeerRefusedException(
                    Reason.UNEXPECTED_IDENTITY,
                    peer + " (expected: "
                            + expected.stream()
                                    .map(SpiffeId::toString)
                                    .sorted()
                                    .limit(8)
                                    .collect(Collectors.joining(" or "))
                            + ")");
        }
        return notRevoked(new Proof(peer, links), PeerRole.SERVER);
    }

    private Proof notRevoked(Proof proof, PeerRole role) throws PeerRefusedException {
        var refusal = revocations.refusal(proof.chain(), role);
        if (refusal.isPresent()) {
            throw new PeerRefusedException(Reason.REVOKED, proof.identity() + ": " + refusal.get());
        }
        return proof;
    }

    private PeerChain checkChain(X509Certificate[] sent, String purpose, String purposeName)
            throws PeerRefusedException {
        if (sent.length == 0) {
            throw new PeerRefusedException(Reason.UNTRUSTED_CHAIN, "no certificate");
        }
        var leaf = sent[0];
        PeerChain links;
        try {
            var parameters = new PKIXParameters(anchors);
            parameters.setRevocationEnabled(false); // revocation lists are a file, not part of the path
            parameters.setDate(Date.from(clock.instant()));
            var certificates = withoutRoots(sent);
            var path = CertificateFactory.getInstance("X.509").generateCertPath(certificates);
            var valid = (PKIXCertPathValidatorResult)
                    CertPathValidator.getInstance("PKIX").validate(path, parameters);
            links = PeerChain.of(certificates, valid.getTrustAnchor());
            var usages = leaf.getExtendedKeyUsage();
            if (usages == null || !usages.contains(purpose)) {
                throw new PeerRefusedException(
                        Reason.WRONG_PURPOSE, "extended key usage " + usages + " (expected: " + purposeName + ")");
            }
        } catch (CertPathValidatorException e) {
            throw new PeerRefusedException(
                    Reason.UNTRUSTED_CHAIN,
                    describe(leaf) + ": " + e.getMessage() + " (expected: a valid chain to one of " + anchors.size()
                            + " roots)",
                    e);
        } catch (PeerRefusedException e) {
            throw e;
        } catch (GeneralSecurityException | IllegalStateException | IllegalArgumentException e) {
            // The unchecked ones: Netty parses a certificate when it is first looked at.
            throw new PeerRefusedException(Reason.UNTRUSTED_CHAIN, "unreadable chain: " + e.getMessage(), e);
        }
        if (leaf.getBasicConstraints() >= 0) { // X.509-SVID, 4.1: signing certificates are no workloads
            throw new PeerRefusedException(Reason.WRONG_PURPOSE, describe(leaf) + " is a CA certificate");
        }
        return links;
    }

    /// Some peers append the root; a path must end below its anchor.
    private List<X509Certificate> withoutRoots(X509Certificate[] sent) {
        return Arrays.stream(sent)
                .filter(certificate -> !roots.contains(certificate))
                .toList();
    }

    private static String describe(X509Certificate leaf) {
        return PeerIdentities.of(leaf)
                .map(SpiffeId::toString)
                .orElseGet(() ->
                        "certificate with serial " + leaf.getSerialNumber().toString(16));
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        note(engine, checkClient(chain));
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
            throws CertificateException {
        var expected = expectations.remove(engine);
        note(engine, checkServer(chain, expected == null ? Set.of() : expected)); // nobody expected: refused
    }

    private static void note(SSLEngine engine, Proof proof) {
        engine.getSession().putValue(PROVED, proof.identity());
        engine.getSession().putValue(CHAIN, proof.chain());
    }

    /// Not sent to clients: they have one certificate, so naming issuers would only cost bytes.
    @Override
    public X509Certificate[] getAcceptedIssuers() {
        return NO_ISSUERS;
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType, @Nullable Socket socket)
            throws CertificateException {
        throw new CertificateException("only engines are supported");
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType, @Nullable Socket socket)
            throws CertificateException {
        throw new CertificateException("only engines are supported");
    }

    @Override
    public void checkClientTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        throw new CertificateException("only engines are supported");
    }

    @Override
    public void checkServerTrusted(X509Certificate[] chain, String authType) throws CertificateException {
        throw new CertificateException("only engines are supported");
    }
}
