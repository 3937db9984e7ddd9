package io.loam.model.service;

/// One port of a service, or of one workload of a service.
///
/// @param servicePort the port callers use
/// @param targetPort the port the application listens on; 0 means "named or unknown, look at the endpoint"
public record ServicePort(int servicePort, int targetPort, AppProtocol protocol) {
    public ServicePort {
        requirePort("service port", servicePort, 1);
        requirePort("target port", targetPort, 0);
    }

    private static void requirePort(String what, int port, int least) {
        if (port < least || port > 65535) {
            throw new IllegalArgumentException(what + ": " + port + " (expected: " + least + " to 65535)");
        }
    }

    /// What the application speaks on the port, as far as it is declared.
    public enum AppProtocol {
        UNKNOWN,
        HTTP11,
        HTTP2,
        GRPC,
        TCP,
        TLS
    }
}
