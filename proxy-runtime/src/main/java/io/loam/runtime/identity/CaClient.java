package io.loam.runtime.identity;

import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import io.grpc.ManagedChannel;
import io.grpc.StatusRuntimeException;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.proto.ca.IstioCertificateRequest;
import io.loam.protocol.proto.ca.IstioCertificateServiceGrpc;
import io.loam.protocol.tls.CertificateBundle;
import io.loam.protocol.tls.WorkloadCsr;
import io.loam.runtime.config.UpstreamConfig;
import io.loam.runtime.config.UpstreamConfig.RootCertificates;
import io.loam.runtime.grpc.UpstreamChannels;
import java.io.IOException;
import java.nio.file.Files;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The CA protocol of the wire reference, section 5: a CSR and the identity it is for, by bearer token, over TLS.
public final class CaClient implements CertificateAuthority, AutoCloseable {
    private static final int CALL_TIMEOUT_SECONDS = 10;

    private final UpstreamChannels channels;
    private final UpstreamConfig upstream;
    private final Duration lifetime;
    private @Nullable ManagedChannel channel;
    private byte[] channelRoots = {};

    /// @param lifetime asked of the CA, which may give less
    public CaClient(UpstreamChannels channels, UpstreamConfig upstream, Duration lifetime) {
        this.channels = channels;
        this.upstream = upstream;
        this.lifetime = lifetime;
    }

    @Override
    public CertificateBundle certify(SpiffeId identity) throws IOException, GeneralSecurityException {
        var csr = WorkloadCsr.generate(identity);
        var request = IstioCertificateRequest.newBuilder()
                .setCsr(csr.pem())
                .setValidityDuration(lifetime.toSeconds())
                .setMetadata(Struct.newBuilder()
                        .putFields(
                                "ImpersonatedIdentity",
                                Value.newBuilder()
                                        .setStringValue(identity.toString())
                                        .build()))
                .build();
        try {
            var answer = IstioCertificateServiceGrpc.newBlockingStub(channel())
                    .withDeadlineAfter(CALL_TIMEOUT_SECONDS, TimeUnit.SECONDS)
                    .createCertificate(request);
            return csr.accept(answer.getCertChainList());
        } catch (StatusRuntimeException e) {
            throw new IOException("CA " + upstream.address() + ": " + e.getStatus(), e);
        }
    }

    /// One channel for all requests, replaced when the root file has changed: a rotated root must count without a
    /// restart.
    private synchronized ManagedChannel channel() throws IOException {
        byte[] roots =
                upstream.root() instanceof RootCertificates.File(var path) ? Files.readAllBytes(path) : new byte[0];
        var open = channel;
        if (open == null || !Arrays.equals(roots, channelRoots)) {
            if (open != null) {
                open.shutdown();
            }
            open = channels.open(upstream);
            channel = open;
            channelRoots = roots;
        }
        return open;
    }

    @Override
    public synchronized void close() {
        if (channel != null) {
            channel.shutdownNow();
        }
    }
}
