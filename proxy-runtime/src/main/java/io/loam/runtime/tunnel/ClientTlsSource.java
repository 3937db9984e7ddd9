package io.loam.runtime.tunnel;

import io.loam.runtime.identity.CertificateSource;
import io.netty.channel.EventLoop;
import io.netty.util.concurrent.Future;

/// Where the pool gets the certificate of a source identity from. Asked once per dial, so that a renewed certificate
/// is used from the next tunnel on.
@FunctionalInterface
public interface ClientTlsSource {
    /// @return completes when a certificate is there, in whatever time that takes (the pool has its own limit),
    ///     or fails with the reason why there is none
    Future<ClientTls> clientTls(TunnelKey key, EventLoop loop);

    /// Certificates of `certificates`; peers as the key wants them.
    static ClientTlsSource of(CertificateSource certificates) {
        return (key, loop) -> {
            var promise = loop.<ClientTls>newPromise();
            var _ = certificates.get(key.source()).whenComplete((tls, failure) -> {
                if (failure != null) {
                    promise.tryFailure(failure);
                } else {
                    promise.trySuccess(allocator -> tls.newClientHandler(allocator, key.destinations()));
                }
            });
            return promise;
        };
    }
}
