package io.loam.agent.dns;

/// How a query came, and how it is passed on.
enum Transport {
    UDP("udp"),
    TCP("tcp");

    private final String label;

    Transport(String label) {
        this.label = label;
    }

    /// As in the label `request_protocol`.
    String label() {
        return label;
    }
}
