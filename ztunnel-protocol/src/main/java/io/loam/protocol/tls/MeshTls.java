package io.loam.protocol.tls;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.Revocations.PeerRole;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSslContextOption;
import io.netty.handler.ssl.OpenSslSessionContext;
import io.netty.handler.ssl.OpenSslX509KeyManagerFactory;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslProvider;
import io.netty.util.ReferenceCountUtil;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLException;

/// Both ends of a workload's tunnels in TLS 1.3, made from one certificate bundle and good until that certificate is
/// renewed: BoringSSL, ALPN `h2`, client certificate mandatory, no SNI, no resumption (it would skip the check of the
/// peer's certificate and outlive it).
///
/// Immutable and safe for all threads. Built off the event loops, since loading a key takes a while; a handshake only
/// takes a reference. The native contexts are freed some time after the last reference to this object and the last
/// connection made from it are gone, so that a rotation cannot pull them from under a handshake that is starting.
public final class MeshTls {
    /// Free bytes in front of what is read from a tunnel's socket spare a copy: room for a record but its last byte
    /// (RFC 8446, 5.2).
    public static final int ROOM_BEFORE_READ_BYTES = 5 + (16 << 10) + 256;

    private static final Cleaner CLEANER = Cleaner.create();

    private final SpiffeId identity;
    private final List<X509Certificate> chain;
    private final List<X509Certificate> roots;
    private final PeerTrust trust;
    private final Revocations revocations;
    private final SslContext client;
    private final SslContext server;

    private MeshTls(
            CertificateBundle bundle, PeerTrust trust, Revocations revocations, SslContext client, SslContext server) {
        this.identity = bundle.identity();
        this.chain = bundle.chain();
        this.roots = bundle.roots();
        this.trust = trust;
        this.revocations = revocations;
        this.client = client;
        this.server = server;
        CLEANER.register(this, () -> {
            ReferenceCountUtil.release(client);
            ReferenceCountUtil.release(server);
        });
    }

    /// As below, under the default terms.
    public static MeshTls of(CertificateBundle bundle, InstantSource clock) throws SSLException {
        return of(bundle, HandshakeTerms.DEFAULT, clock);
    }

    /// Loads the bundle's key into native memory; the bundle can be dropped afterwards.
    ///
    /// @param clock what "valid now" means for peers' certificates
    /// @throws SSLException if key and certificate do not fit each other
    public static MeshTls of(CertificateBundle bundle, HandshakeTerms terms, InstantSource clock) throws SSLException {
        var trust = new PeerTrust(bundle.roots(), bundle.identity().trustDomain(), terms.revocations(), clock);
        var groups = terms.keyExchanges().stream().map(KeyExchange::toString).toArray(String[]::new);
        var key = keyManager(bundle);
        var client = context(SslContextBuilder.forClient().keyManager(key).trustManager(trust), groups);
        try {
            var server = context(
                    SslContextBuilder.forServer(key).trustManager(trust).clientAuth(ClientAuth.REQUIRE), groups);
            return new MeshTls(bundle, trust, terms.revocations(), client, server);
        } catch (SSLException | RuntimeException e) {
            ReferenceCountUtil.release(client);
            throw e;
        }
    }

    /// Netty would make a PKCS #12 store of key and chain for each context, which protects the key by 10,000
    /// rounds of PBKDF2, in the interpreter when an agent starts. This store lives in memory, and only until the
    /// contexts are made; there is nothing to protect it from.
    private static KeyManagerFactory keyManager(CertificateBundle bundle) throws SSLException {
        var password = new char[0];
        try {
            var store = KeyStore.getInstance("JKS");
            store.load(null, password);
            store.setKeyEntry(
                    "workload", bundle.privateKey(), password, bundle.chain().toArray(X509Certificate[]::new));
            var factory = new OpenSslX509KeyManagerFactory();
            factory.init(store, password);
            return factory;
        } catch (GeneralSecurityException | IOException e) {
            throw new SSLException("loading the key of " + bundle.identity(), e);
        }
    }

    private static SslContext context(SslContextBuilder builder, String[] groups) throws SSLException {
        var context = builder.sslProvider(SslProvider.OPENSSL_REFCNT)
                .protocols("TLSv1.3")
                .option(OpenSslContextOption.GROUPS, groups.clone())
                .endpointIdentificationAlgorithm(null) // URI names decide, see PeerTrust
                .applicationProtocolConfig(new ApplicationProtocolConfig(
                        Protocol.ALPN,
                        SelectorFailureBehavior.NO_ADVERTISE,
                        SelectedListenerFailureBehavior.ACCEPT,
                        ApplicationProtocolNames.HTTP_2))
                .build();
        ((OpenSslSessionContext) context.sessionContext()).setSessionCacheEnabled(false);
        return context;
    }

    /// Whom the certificate names.
    public SpiffeId identity() {
        return identity;
    }

    public X509Certificate leaf() {
        return chain.getFirst();
    }

    /// The leaf, then intermediates.
    public List<X509Certificate> chain() {
        return chain;
    }

    public List<X509Certificate> roots() {
        return roots;
    }

    public Instant notBefore() {
        return leaf().getNotBefore().toInstant();
    }

    public Instant notAfter() {
        return leaf().getNotAfter().toInstant();
    }

    /// One outgoing tunnel. Its handshake fails, with a {@link PeerRefusedException} among the causes, unless the peer
    /// proves to be one of `expected`.
    ///
    /// @param expected at least one
    public SslHandler newClientHandler(ByteBufAllocator alloc, Set<SpiffeId> expected) {
        if (expected.isEmpty()) {
            throw new IllegalArgumentException("expected identities: none (expected: at least one)");
        }
        try {
            var handler = client.newHandler(alloc);
            trust.expect(handler.engine(), expected);
            return withoutCopies(handler);
        } finally {
            Reference.reachabilityFence(this); // the contexts live until the handler holds its own reference
        }
    }

    /// One accepted tunnel. Its handshake fails, with a {@link PeerRefusedException} among the causes, unless the peer
    /// proves to be a workload of our own trust domain.
    public SslHandler newServerHandler(ByteBufAllocator alloc) {
        try {
            return withoutCopies(server.newHandler(alloc));
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    /// Every buffer is encrypted where it lies (fast path, rule 7); whoever writes small ones joins them before.
    private static SslHandler withoutCopies(SslHandler handler) {
        handler.setWrapDataSize(0);
        handler.setCumulator(RecordRest.INSTANCE);
        return handler;
    }

    /// Who the peer proved to be, as checked in the handshake.
    ///
    /// @param handler one of ours
    /// @return empty before the handshake has succeeded
    public static Optional<SpiffeId> peer(SslHandler handler) {
        return handler.engine().getSession().getValue(PeerTrust.PROVED) instanceof SpiffeId peer
                ? Optional.of(peer)
                : Optional.empty();
    }

    /// Watches a tunnel whose handshake has succeeded: calls `cut` once, on any thread, as soon as a
    /// certificate by which the peer proved its identity is revoked, at once if it is by now (hazard I6).
    ///
    /// @param handler one of ours
    /// @param role what the peer is of this tunnel
    /// @return ends the watch; to be run when the connection is closed
    /// @throws IllegalStateException before the handshake has succeeded
    public Runnable whenRevoked(SslHandler handler, PeerRole role, Runnable cut) {
        if (handler.engine().getSession().getValue(PeerTrust.CHAIN) instanceof PeerChain chain) {
            return revocations.watch(chain, role, cut);
        }
        throw new IllegalStateException("the peer has not proved its identity yet");
    }

    @Override
    public String toString() {
        return "MeshTls[" + identity + ", serial=" + leaf().getSerialNumber().toString(16) + ", until " + notAfter()
                + "]";
    }
}
