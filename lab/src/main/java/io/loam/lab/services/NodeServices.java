package io.loam.lab.services;

import io.loam.config.cluster.LabelIndex;
import io.loam.config.cluster.RunningPod;
import io.loam.config.object.ServiceObject;
import io.loam.config.object.ServiceObject.InternalTrafficPolicy;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// What one node's kernel has to balance.
public final class NodeServices {
    private static final Comparator<InetSocketAddress> BY_ADDRESS = Comparator.comparing(
                    (InetSocketAddress endpoint) -> endpoint.getAddress().getHostAddress())
            .thenComparingInt(InetSocketAddress::getPort);

    private NodeServices() {}

    /// @param services with the virtual addresses they were given; those without any are left out
    /// @param node whose view it is: `internalTrafficPolicy: Local` keeps to endpoints of the same node
    /// @return the same list for the same input, whatever order the pods come in
    public static List<VirtualPort> of(List<ServiceObject> services, List<RunningPod> pods, String node) {
        var index = LabelIndex.of(
                pods, RunningPod::namespace, pod -> pod.pod().meta().labels());
        var result = new ArrayList<VirtualPort>();
        for (var service : services) {
            if (service.headless() || service.clusterIps().isEmpty()) {
                continue;
            }
            var endpoints = index.select(service.meta().namespace(), service.selector()).stream()
                    .filter(pod -> takesTraffic(pod, service))
                    .filter(pod -> service.internalTrafficPolicy() == InternalTrafficPolicy.CLUSTER
                            || pod.node().equals(node))
                    .toList();
            for (var address : service.clusterIps()) {
                for (var port : service.ports()) {
                    result.add(new VirtualPort(
                            service.meta().namespace() + "/" + service.meta().name(),
                            address,
                            port.protocol(),
                            port.port(),
                            endpoints(endpoints, port, address)));
                }
            }
        }
        result.sort(Comparator.comparing(VirtualPort::service)
                .thenComparingInt(port -> port.address().getAddress().length)
                .thenComparing(VirtualPort::protocol)
                .thenComparingInt(VirtualPort::port));
        return List.copyOf(result);
    }

    private static boolean takesTraffic(RunningPod pod, ServiceObject service) {
        return switch (pod.phase()) {
            case PENDING, RUNNING -> !pod.terminating() && (pod.ready() || service.publishNotReadyAddresses());
            case SUCCEEDED, FAILED -> false;
        };
    }

    /// A pod that gives the target port no name it was asked by, or has no address of the family, is no endpoint.
    private static List<InetSocketAddress> endpoints(
            List<RunningPod> pods, ServiceObject.Port port, InetAddress virtual) {
        var endpoints = new ArrayList<InetSocketAddress>();
        for (var pod : pods) {
            var target = port.targetPort().resolve(pod.pod().spec(), port.protocol());
            if (target.isEmpty()) {
                continue;
            }
            pod.ips().stream()
                    .filter(ip -> ip.getAddress().length == virtual.getAddress().length)
                    .findFirst()
                    .ifPresent(ip -> endpoints.add(new InetSocketAddress(ip, target.getAsInt())));
        }
        endpoints.sort(BY_ADDRESS);
        return endpoints;
    }
}
