package io.loam.model.decision;

import io.loam.model.workload.Workload;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/// One captured connection.
///
/// @param source the workload that opened it, known from enrolment and never looked up by address
/// @param sourceAddress the address it was opened from
/// @param originalDestination where the application meant to go; never a v4-mapped IPv6 address
/// @param network the network the source is in; "" is the default network
public record OutboundRequest(
        Workload source, InetAddress sourceAddress, InetSocketAddress originalDestination, String network) {
    public OutboundRequest(Workload source, InetAddress sourceAddress, InetSocketAddress originalDestination) {
        this(source, sourceAddress, originalDestination, source.network());
    }
}
