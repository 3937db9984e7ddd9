package io.loam.config.object;

/// What a port carries.
public enum TransportProtocol {
    TCP,
    UDP,
    SCTP
}
