package io.loam.ca;

import io.loam.protocol.rpc.RpcListenConfig;
import io.loam.protocol.rpc.RpcServer;
import io.loam.protocol.token.TokenVerifier;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Serves `istio.v1.auth.IstioCertificateService` over TLS, with a certificate of its own making, and has the authority
/// look at its files meanwhile. {@link #close} ends it.
public final class CaServer implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(CaServer.class);

    /// Changed files count after they have rested for that long.
    private static final Duration LOOK = Duration.ofMillis(250);

    private final RpcServer server;
    private final CertificateService service;
    private final Thread watch;

    private CaServer(RpcServer server, CertificateService service, CertificateAuthority authority) {
        this.server = server;
        this.service = service;
        this.watch = Thread.ofVirtual().name("ca-files").start(() -> watch(authority));
    }

    /// Returns once it listens.
    ///
    /// @param dnsNames and `addresses`: what agents know the server by
    /// @param tokens made for the audiences that are accepted here
    /// @param pods asked once per request for the pods of that moment
    /// @throws IOException if the address cannot be bound
    public static CaServer start(
            RpcListenConfig listen,
            List<String> dnsNames,
            List<InetAddress> addresses,
            CertificateAuthority authority,
            TokenVerifier tokens,
            ImpersonationCheck check,
            Supplier<? extends PodDirectory> pods,
            InstantSource clock)
            throws IOException {
        var service = new CertificateService(authority, tokens, check, pods);
        var server = RpcServer.start(
                "ca", listen, () -> authority.issueServing(dnsNames, addresses), clock, List.of(service.bindService()));
        authority.addListener(server::renewCertificate);
        return new CaServer(server, service, authority);
    }

    private static void watch(CertificateAuthority authority) {
        try {
            while (true) {
                Thread.sleep(LOOK);
                try {
                    authority.look();
                } catch (RuntimeException | Error e) { // a bug must not end the watch: other files may be taken on
                    LOG.error("ca files could not be looked at, what was in force stays", e);
                }
            }
        } catch (InterruptedException _) {
            // Closed.
        }
    }

    /// Where it listens, with the port it was given.
    public InetSocketAddress address() {
        return server.address();
    }

    /// Certificates issued since the start.
    public long issued() {
        return service.issued();
    }

    /// Requests refused since the start, for whatever reason.
    public long refused() {
        return service.refused();
    }

    @Override
    public void close() {
        watch.interrupt();
        server.close();
    }
}
