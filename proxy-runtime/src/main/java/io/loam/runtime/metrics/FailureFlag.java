package io.loam.runtime.metrics;

/// Why a connection failed, in the words of the label `response_flags` (wire reference, 8.1).
public enum FailureFlag {
    NONE("-"),
    DENY("DENY"),
    CONNECT("CONNECT"),
    TLS_FAILURE("TLS_FAILURE"),
    CERT_REVOKED("CERT_REVOKED"),
    H2_HANDSHAKE_FAILURE("H2_HANDSHAKE_FAILURE"),
    NETWORK_POLICY("NETWORK_POLICY"),
    IDENTITY_ERROR("IDENTITY_ERROR");

    private final String label;

    FailureFlag(String label) {
        this.label = label;
    }

    public String label() {
        return label;
    }
}
