package io.loam.controlplane.xds;

import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import io.loam.controlplane.xds.ProxyStatus.TypeStatus;
import io.loam.controlplane.xds.ResourceSet.Difference;
import io.loam.controlplane.xds.TypeSubscription.Accepted;
import io.loam.controlplane.xds.TypeSubscription.Nothing;
import io.loam.controlplane.xds.TypeSubscription.Rejected;
import io.loam.controlplane.xds.TypeSubscription.TooManyNames;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Node;
import io.loam.protocol.token.ServiceAccountToken;
import java.time.Instant;
import java.util.EnumMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// One proxy's stream. Requests come from gRPC's call thread, changes from the thread that publishes: both hold
/// the stream's lock while they look what has to be sent.
final class ProxyStream implements StreamObserver<DeltaDiscoveryRequest> {
    private static final Logger LOG = LoggerFactory.getLogger(ProxyStream.class);
    private static final String NODE_NAME = "NODE_NAME";

    private final MeshPublication publication;
    private final FullSyncGate gate;
    private final ServiceAccountToken caller;
    private final StreamObserver<DeltaDiscoveryResponse> responses;
    private final Instant since;
    private final Map<ResourceType, TypeSubscription> subscriptions = new EnumMap<>(ResourceType.class);
    private final Map<ResourceType, Rejections> rejections = new EnumMap<>(ResourceType.class);
    private final Runnable turn = this::pump;
    private @Nullable String proxyId;
    private String node = "";
    private long lastNonce;
    private boolean closed;

    ProxyStream(
            MeshPublication publication,
            FullSyncGate gate,
            ServiceAccountToken caller,
            Instant since,
            StreamObserver<DeltaDiscoveryResponse> responses) {
        this.publication = publication;
        this.gate = gate;
        this.caller = caller;
        this.since = since;
        this.responses = responses;
    }

    @Override
    public synchronized void onNext(DeltaDiscoveryRequest request) {
        if (closed || (proxyId == null && !introduce(request.getNode()))) {
            return;
        }
        var type = ResourceType.of(request.getTypeUrl());
        if (type.isEmpty()) {
            LOG.debug("proxy={} asked for type={}, which is not served", proxyId, request.getTypeUrl());
            return;
        }
        var subscription = subscriptions.computeIfAbsent(type.get(), TypeSubscription::new);
        switch (subscription.onRequest(request)) {
            case Nothing() -> {}
            case Accepted() -> acknowledged(type.get());
            case Rejected(String message) -> {
                acknowledged(type.get());
                rejected(type.get(), message);
            }
            case TooManyNames(int count) -> {
                end(Status.RESOURCE_EXHAUSTED.withDescription(count + " resource names in one subscription"));
                return;
            }
        }
        pump();
    }

    @Override
    public void onError(Throwable error) {
        LOG.info(
                "proxy={} disconnected: {}",
                proxyId,
                Status.fromThrowable(error).getCode());
        forget();
    }

    @Override
    public void onCompleted() {
        LOG.info("proxy={} disconnected", proxyId);
        boolean answer;
        synchronized (this) {
            answer = !closed;
        }
        forget();
        if (answer) {
            responses.onCompleted();
        }
    }

    /// Sends what is due. Never blocks on the network: gRPC queues, and at most one response per type is
    /// outstanding.
    synchronized void pump() {
        var mesh = publication.current();
        if (closed || mesh == null) { // before the first compilation "nothing" would be a lie
            return;
        }
        for (var type : ResourceType.values()) {
            var subscription = subscriptions.get(type);
            if (subscription == null || subscription.isOutstanding()) {
                continue;
            }
            if (type == ResourceType.ADDRESS && subscription.isFullSync(mesh) && !gate.enter(turn)) {
                subscription.waits(mesh);
                return; // called again when it is our turn
            }
            var difference = subscription.next(mesh, node);
            if (difference != null) {
                send(type, subscription, difference, mesh.generation());
            }
        }
    }

    synchronized @Nullable ProxyStatus status() {
        if (proxyId == null || closed) {
            return null;
        }
        var types = new EnumMap<ResourceType, TypeStatus>(ResourceType.class);
        subscriptions.forEach((type, subscription) -> {
            var rejected = rejections.getOrDefault(type, Rejections.NONE);
            types.put(
                    type,
                    new TypeStatus(subscription.acknowledgedGeneration(), rejected.count(), rejected.lastMessage()));
        });
        return new ProxyStatus(proxyId, node, caller.namespace() + "/" + caller.serviceAccount(), since, types);
    }

    /// Takes the first request's word for the proxy's name, but not for its node where the token names one.
    private boolean introduce(Node described) {
        var metadata = described.getMetadata().getFieldsMap().get(NODE_NAME);
        var claimed = metadata == null ? "" : metadata.getStringValue();
        var proved = caller.nodeName();
        if (proved != null && !claimed.isEmpty() && !claimed.equals(proved)) {
            LOG.warn("proxy={} refused: says it is on node {}, its token on {}", described.getId(), claimed, proved);
            end(Status.UNAUTHENTICATED.withDescription(DiscoveryService.OPAQUE));
            return false;
        }
        proxyId = described.getId();
        node = proved != null ? proved : claimed;
        LOG.info("proxy={} connected: node={} account={}", proxyId, node, caller.subject());
        return true;
    }

    private void send(ResourceType type, TypeSubscription subscription, Difference difference, long generation) {
        var nonce = Long.toString(++lastNonce);
        var response = DeltaDiscoveryResponse.newBuilder()
                .setTypeUrl(type.typeUrl())
                .setNonce(nonce)
                .setSystemVersionInfo(Long.toString(generation))
                .addAllRemovedResources(difference.removed());
        difference.changed().forEach(resource -> response.addResources(resource.message()));
        subscription.sent(nonce, generation);
        publication.countResponse(difference.changed().size());
        LOG.debug(
                "proxy={} type={} nonce={} changed={} removed={}",
                proxyId,
                type,
                nonce,
                difference.changed().size(),
                difference.removed().size());
        responses.onNext(response.build());
    }

    private void acknowledged(ResourceType type) {
        if (type == ResourceType.ADDRESS) {
            gate.leave(turn); // the copy of the mesh is out of our memory
        }
    }

    private void rejected(ResourceType type, String message) {
        var before = rejections.getOrDefault(type, Rejections.NONE);
        rejections.put(type, new Rejections(before.count() + 1, message));
        publication.countRejection();
        LOG.warn("proxy={} rejected type={}: {}", proxyId, type, message); // the message names the resources
    }

    private void end(Status status) {
        forget();
        responses.onError(status.asRuntimeException());
    }

    private void forget() {
        synchronized (this) {
            closed = true;
        }
        gate.leave(turn);
        publication.remove(this);
    }

    private record Rejections(long count, String lastMessage) {
        static final Rejections NONE = new Rejections(0, "");
    }
}
