package io.loam.agent.training;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.loam.agent.selftest.ThrowAwayAuthority;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.proto.ca.IstioCertificateRequest;
import io.loam.protocol.proto.ca.IstioCertificateResponse;
import io.loam.protocol.proto.ca.IstioCertificateServiceGrpc;
import io.loam.protocol.tls.Pem;
import java.io.IOException;
import java.security.GeneralSecurityException;
import org.bouncycastle.pkcs.jcajce.JcaPKCS10CertificationRequest;

/// Certifies whoever asks. Nobody outside of this process trusts it.
final class TrainingCertificates extends IstioCertificateServiceGrpc.IstioCertificateServiceImplBase {
    private final ThrowAwayAuthority authority;

    TrainingCertificates(ThrowAwayAuthority authority) {
        this.authority = authority;
    }

    @Override
    public void createCertificate(IstioCertificateRequest request, StreamObserver<IstioCertificateResponse> responses) {
        try {
            var identity = SpiffeId.parse(request.getMetadata()
                            .getFieldsOrThrow("ImpersonatedIdentity")
                            .getStringValue())
                    .orElseThrow(() -> new GeneralSecurityException("no identity"));
            var key = new JcaPKCS10CertificationRequest(Pem.request(request.getCsr())).getPublicKey();
            responses.onNext(IstioCertificateResponse.newBuilder()
                    .addCertChain(Pem.encode(authority.workload(identity, key)))
                    .addCertChain(Pem.encode(authority.root()))
                    .build());
            responses.onCompleted();
        } catch (IOException | GeneralSecurityException e) {
            responses.onError(Status.INVALID_ARGUMENT
                    .withDescription(e.getMessage())
                    .withCause(e)
                    .asRuntimeException());
        }
    }
}
