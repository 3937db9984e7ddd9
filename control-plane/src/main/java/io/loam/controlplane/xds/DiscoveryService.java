package io.loam.controlplane.xds;

import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.loam.protocol.proto.discovery.AggregatedDiscoveryServiceGrpc;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.rpc.BearerToken;
import io.loam.protocol.token.ServiceAccountToken;
import io.loam.protocol.token.TokenRefusedException;
import io.loam.protocol.token.TokenVerifier;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Set;
import java.util.concurrent.ScheduledExecutorService;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Lets proxies in: who they are is proved by their token before a byte of theirs is looked at.
public final class DiscoveryService extends AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase {
    private static final Logger LOG = LoggerFactory.getLogger(DiscoveryService.class);

    /// The same for every reason: the caller learns nothing, our log names it.
    static final String OPAQUE = "authentication failure";

    /// Eight copies of a mesh of 10,000 pods are about 30 MB while they are sent.
    private static final int PARALLEL_FULL_SYNCS = 8;

    /// Twice what a full sync of 10,000 pods may take on a slow link.
    private static final Duration LONGEST_FULL_SYNC = Duration.ofSeconds(10);

    private final MeshPublication publication;
    private final TokenVerifier tokens;
    private final Set<String> accounts;
    private final int maxStreams;
    private final InstantSource clock;
    private final FullSyncGate gate;

    /// @param accounts service accounts that may listen, as `namespace/name`
    /// @param timer runs short tasks; owned by the caller
    public DiscoveryService(
            MeshPublication publication,
            TokenVerifier tokens,
            Set<String> accounts,
            int maxStreams,
            InstantSource clock,
            ScheduledExecutorService timer) {
        this.publication = publication;
        this.tokens = tokens;
        this.accounts = Set.copyOf(accounts);
        this.maxStreams = maxStreams;
        this.clock = clock;
        this.gate = new FullSyncGate(PARALLEL_FULL_SYNCS, LONGEST_FULL_SYNC, timer);
    }

    @Override
    public StreamObserver<DeltaDiscoveryRequest> deltaAggregatedResources(
            StreamObserver<DeltaDiscoveryResponse> responses) {
        var token = BearerToken.current();
        if (token == null) {
            return refuse(responses, Status.UNAUTHENTICATED.withDescription(OPAQUE), "no bearer token");
        }
        ServiceAccountToken caller;
        try {
            caller = tokens.verify(token);
        } catch (TokenRefusedException e) {
            return refuse(responses, Status.UNAUTHENTICATED.withDescription(OPAQUE), "token: " + e.getMessage());
        }
        var account = caller.namespace() + "/" + caller.serviceAccount();
        if (!accounts.contains(account)) {
            return refuse(
                    responses,
                    Status.UNAUTHENTICATED.withDescription(OPAQUE),
                    "account " + account + " (expected: one of " + accounts + ")");
        }
        if (publication.streams() >= maxStreams) {
            return refuse(
                    responses,
                    Status.RESOURCE_EXHAUSTED.withDescription("too many proxies"),
                    "account " + account + ": already " + maxStreams + " streams");
        }
        // Without a handler of ours gRPC throws at whoever sends to a proxy that has just gone; onError tells us of it.
        ((ServerCallStreamObserver<DeltaDiscoveryResponse>) responses).setOnCancelHandler(() -> {});
        var stream = new ProxyStream(publication, gate, caller, clock.instant(), responses);
        publication.add(stream);
        return stream;
    }

    private static StreamObserver<DeltaDiscoveryRequest> refuse(
            StreamObserver<DeltaDiscoveryResponse> responses, Status status, String reason) {
        LOG.warn("proxy refused: {}", reason);
        responses.onError(status.asRuntimeException());
        return Ended.STREAM;
    }

    /// What a refused caller still sends is for nobody.
    private enum Ended implements StreamObserver<DeltaDiscoveryRequest> {
        STREAM;

        @Override
        public void onNext(DeltaDiscoveryRequest request) {}

        @Override
        public void onError(Throwable error) {}

        @Override
        public void onCompleted() {}
    }
}
