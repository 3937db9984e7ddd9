package io.loam.runtime.tunnel;

import io.loam.protocol.tls.MeshTls;
import io.loam.protocol.tls.Revocations.PeerRole;
import io.loam.runtime.identity.CertificateSource;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.EventLoop;
import io.netty.handler.ssl.SslHandler;
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
                    promise.trySuccess(new Workload(tls, key));
                }
            });
            return promise;
        };
    }

    /// The tunnels of one workload to one peer.
    record Workload(MeshTls tls, TunnelKey key) implements ClientTls {
        @Override
        public SslHandler newHandler(ByteBufAllocator allocator) {
            return tls.newClientHandler(allocator, key.destinations());
        }

        @Override
        public Runnable whenRevoked(SslHandler handler, Runnable cut) {
            return tls.whenRevoked(handler, PeerRole.SERVER, cut);
        }
    }
}
