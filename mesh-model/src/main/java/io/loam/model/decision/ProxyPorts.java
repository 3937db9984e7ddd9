package io.loam.model.decision;

/// The ports of the proxy inside an enrolled pod (wire reference, 1.1).
public final class ProxyPorts {
    public static final int OUTBOUND = 15001;
    public static final int INBOUND_PLAINTEXT = 15006;
    public static final int HBONE = 15008;

    /// On loopback only, so that nobody outside of the pod reaches it.
    public static final int DNS = 15053;

    private ProxyPorts() {}

    /// Ports the proxy never connects to on behalf of an application: the bytes would come back to it.
    public static boolean isIllegalTarget(int port) {
        return port == OUTBOUND || port == INBOUND_PLAINTEXT || port == HBONE;
    }
}
