package io.loam.model.decision;

import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// One captured connection.
///
/// @param source the workload that opened it, known from enrolment and never looked up by address
/// @param sourceAddress the address it was opened from
/// @param originalDestination where the application meant to go; never a v4-mapped IPv6 address
/// @param network the network the source is in; "" is the default network
/// @param avoided an endpoint or waypoint in whose place somebody else was found; one that has the same name and the
///     same identity is not chosen among several. Null as a rule
public record OutboundRequest(
        Workload source,
        InetAddress sourceAddress,
        InetSocketAddress originalDestination,
        String network,
        @Nullable Workload avoided) {
    public OutboundRequest(
            Workload source, InetAddress sourceAddress, InetSocketAddress originalDestination, String network) {
        this(source, sourceAddress, originalDestination, network, null);
    }

    public OutboundRequest(Workload source, InetAddress sourceAddress, InetSocketAddress originalDestination) {
        this(source, sourceAddress, originalDestination, source.network());
    }
}
