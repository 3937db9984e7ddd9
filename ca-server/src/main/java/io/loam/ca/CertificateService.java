package io.loam.ca;

import com.google.protobuf.Value;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.loam.ca.CertificatesInUse.Holder;
import io.loam.ca.ImpersonationCheck.Granted;
import io.loam.ca.ImpersonationCheck.Refused;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.proto.ca.IstioCertificateRequest;
import io.loam.protocol.proto.ca.IstioCertificateResponse;
import io.loam.protocol.proto.ca.IstioCertificateServiceGrpc;
import io.loam.protocol.rpc.BearerToken;
import io.loam.protocol.token.ServiceAccountToken;
import io.loam.protocol.token.TokenRefusedException;
import io.loam.protocol.token.TokenVerifier;
import java.time.Duration;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Answers one request: who calls, may they, and only then what they sent. Runs on virtual threads.
final class CertificateService extends IstioCertificateServiceGrpc.IstioCertificateServiceImplBase {
    private static final Logger LOG = LoggerFactory.getLogger(CertificateService.class);

    /// The key under which a node agent names whom it asks for (wire reference, section 5).
    private static final String IMPERSONATED_IDENTITY = "ImpersonatedIdentity";

    /// The same for every reason, so that nobody can find out by trying who runs where.
    private static final String OPAQUE = "request authenticate failure";

    private final CertificateAuthority authority;
    private final TokenVerifier tokens;
    private final ImpersonationCheck check;
    private final Supplier<? extends PodDirectory> pods;
    private final LongAdder issued = new LongAdder();
    private final LongAdder refused = new LongAdder();

    CertificateService(
            CertificateAuthority authority,
            TokenVerifier tokens,
            ImpersonationCheck check,
            Supplier<? extends PodDirectory> pods) {
        this.authority = authority;
        this.tokens = tokens;
        this.check = check;
        this.pods = pods;
    }

    long issued() {
        return issued.sum();
    }

    long refused() {
        return refused.sum();
    }

    @Override
    public void createCertificate(IstioCertificateRequest request, StreamObserver<IstioCertificateResponse> responses) {
        var token = BearerToken.current();
        if (token == null) {
            refuse(responses, Status.UNAUTHENTICATED.withDescription(OPAQUE), "", "NO_TOKEN", "no bearer token");
            return;
        }
        ServiceAccountToken caller;
        try {
            caller = tokens.verify(token);
        } catch (TokenRefusedException e) {
            refuse(responses, Status.UNAUTHENTICATED.withDescription(OPAQUE), "", "TOKEN_REFUSED", e.getMessage());
            return;
        }
        var who = caller.namespace() + "/" + caller.serviceAccount() + " (pod " + caller.podName() + ")";
        switch (check.decide(caller, requestedIdentity(request), pods.get())) {
            case Granted(SpiffeId identity) -> issue(request, identity, caller, who, responses);
            case Refused(var reason, String detail) ->
                refuse(responses, Status.UNAUTHENTICATED.withDescription(OPAQUE), who, reason.name(), detail);
        }
    }

    private void issue(
            IstioCertificateRequest request,
            SpiffeId identity,
            ServiceAccountToken token,
            String caller,
            StreamObserver<IstioCertificateResponse> responses) {
        try {
            var validity = Duration.ofSeconds(request.getValidityDuration());
            var holder = new Holder(String.valueOf(token.podUid()), identity); // without one nothing is granted
            var certificate = authority.issueWorkload(
                    identity, request.getCsr(), validity, holder, () -> mayHave(token, identity));
            issued.increment();
            LOG.info(
                    "certificate issued: identity={} caller={} serial={} until={}",
                    identity,
                    caller,
                    certificate.leaf().getSerialNumber().toString(16),
                    certificate.leaf().getNotAfter().toInstant());
            responses.onNext(IstioCertificateResponse.newBuilder()
                    .addAllCertChain(certificate.certChain())
                    .build());
            responses.onCompleted();
        } catch (RequestRefusedException e) {
            var status = Status.INVALID_ARGUMENT.withDescription(e.getMessage());
            refuse(responses, status, caller, "BAD_REQUEST", identity + ": " + e.getMessage());
        } catch (RuntimeException | Error e) { // ends this request only
            refused.increment();
            LOG.error("certificate not issued: identity={} caller={}", identity, caller, e);
            responses.onError(
                    Status.INTERNAL.withDescription("the CA cannot issue now").asRuntimeException());
        }
    }

    /// Also when the token has ended since.
    private boolean mayHave(ServiceAccountToken holder, SpiffeId identity) {
        return check.decide(holder, identity.toString(), pods.get()) instanceof Granted;
    }

    private void refuse(
            StreamObserver<IstioCertificateResponse> responses,
            Status status,
            String caller,
            String reason,
            @Nullable String detail) {
        refused.increment();
        LOG.warn("certificate refused: reason={} caller={} detail={}", reason, caller, detail);
        responses.onError(status.asRuntimeException());
    }

    /// @return null if none is named; the empty text, which no identity matches, where the entry is no text
    private static @Nullable String requestedIdentity(IstioCertificateRequest request) {
        var value = request.getMetadata().getFieldsMap().get(IMPERSONATED_IDENTITY);
        if (value == null) {
            return null;
        }
        return value.getKindCase() == Value.KindCase.STRING_VALUE ? value.getStringValue() : "";
    }
}
