package io.loam.lab.services;

import io.loam.config.object.TransportProtocol;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;

/// One port of a virtual address, and where connections to it go.
///
/// @param service `namespace/name`
/// @param endpoints of the same family as `address`; empty = connections are refused
public record VirtualPort(
        String service, InetAddress address, TransportProtocol protocol, int port, List<InetSocketAddress> endpoints) {
    public VirtualPort {
        endpoints = List.copyOf(endpoints);
    }
}
