package io.loam.agent.training;

import com.google.protobuf.Any;
import com.google.protobuf.MessageLite;
import io.grpc.stub.StreamObserver;
import io.loam.model.address.NamespacedHostname;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Match;
import io.loam.model.workload.Locality;
import io.loam.model.workload.Workload;
import io.loam.protocol.proto.discovery.AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.xds.AuthorizationMapping;
import io.loam.protocol.xds.ResourceNames;
import io.loam.protocol.xds.WorkloadMapping;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// A control plane whose mesh has {@value #WORKLOADS} workloads and never stands still: each ACK is answered
/// with the next changes, until {@value #UPDATES} were sent.
final class TrainingMesh extends AggregatedDiscoveryServiceImplBase {
    static final int UPDATES = 300;
    private static final int WORKLOADS = 500;
    private static final int CHANGED_AT_ONCE = 5;
    private static final int POLICIES = 20;

    @Override
    public StreamObserver<DeltaDiscoveryRequest> deltaAggregatedResources(
            StreamObserver<DeltaDiscoveryResponse> responses) {
        return new StreamObserver<>() {
            private int sent;

            @Override
            public void onNext(DeltaDiscoveryRequest request) {
                if (request.getResponseNonce().isEmpty()) {
                    first(request.getTypeUrl());
                } else if (sent < UPDATES && request.getTypeUrl().equals(ResourceNames.ADDRESS_TYPE)) {
                    int from = sent * CHANGED_AT_ONCE % WORKLOADS;
                    send(ResourceNames.ADDRESS_TYPE, workloads(from, from + CHANGED_AT_ONCE, "v" + sent));
                }
            }

            private void first(String type) {
                send(type, type.equals(ResourceNames.ADDRESS_TYPE) ? workloads(0, WORKLOADS, "v") : policies());
            }

            private void send(String type, List<Resource> resources) {
                sent++;
                responses.onNext(DeltaDiscoveryResponse.newBuilder()
                        .setTypeUrl(type)
                        .setNonce(Integer.toString(sent))
                        .addAllResources(resources)
                        .build());
            }

            @Override
            public void onError(Throwable failure) {} // the agent ends at the end of its training

            @Override
            public void onCompleted() {
                responses.onCompleted();
            }
        };
    }

    private static List<Resource> workloads(int from, int to, String revision) {
        var resources = new ArrayList<Resource>(to - from);
        for (int i = from; i < to; i++) {
            var workload = workload(i, revision);
            var address = Address.newBuilder()
                    .setWorkload(WorkloadMapping.toProto(workload))
                    .build();
            resources.add(resource(ResourceNames.of(workload), ResourceNames.ADDRESS_TYPE, address));
        }
        return resources;
    }

    private static Workload workload(int number, String revision) {
        var name = "pod-" + number;
        return new Workload(
                "Kubernetes//Pod/shop/" + name,
                name,
                "shop",
                List.of(address(number)),
                "",
                "",
                Workload.TunnelProtocol.HBONE,
                Workload.DEFAULT_TRUST_DOMAIN,
                "account-" + number % 10,
                null,
                null,
                "node-" + number % 5,
                "app-" + number % 20,
                revision,
                Workload.Type.DEPLOYMENT,
                "app-" + number % 20,
                false,
                null,
                Map.<NamespacedHostname, List<io.loam.model.service.ServicePort>>of(),
                List.of("shop/policy-" + number % POLICIES),
                Workload.Status.HEALTHY,
                Workload.DEFAULT_CLUSTER,
                new Locality("eu", "eu-1", ""),
                Workload.NetworkMode.STANDARD,
                1,
                Workload.Egress.ALLOW_ANY);
    }

    private static InetAddress address(int number) {
        try {
            return InetAddress.getByAddress(new byte[] {10, 99, (byte) (number >> 8), (byte) number});
        } catch (IOException e) {
            throw new UncheckedIOException("4 bytes are an address", e);
        }
    }

    private static List<Resource> policies() {
        var resources = new ArrayList<Resource>(POLICIES);
        for (int i = 0; i < POLICIES; i++) {
            var policy = new AuthorizationPolicy(
                    "policy-" + i,
                    "shop",
                    AuthorizationPolicy.Scope.WORKLOAD_SELECTOR,
                    AuthorizationPolicy.Action.ALLOW,
                    List.of(new Rule(List.of(new Clause(List.of(Match.NOTHING))))),
                    false);
            resources.add(resource(
                    ResourceNames.of(policy), ResourceNames.AUTHORIZATION_TYPE, AuthorizationMapping.toProto(policy)));
        }
        return resources;
    }

    private static Resource resource(String name, String type, MessageLite message) {
        return Resource.newBuilder()
                .setName(name)
                .setVersion("1")
                .setResource(Any.newBuilder().setTypeUrl(type).setValue(message.toByteString()))
                .build();
    }
}
