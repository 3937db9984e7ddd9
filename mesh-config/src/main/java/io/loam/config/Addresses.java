package io.loam.config;

import java.net.InetAddress;
import org.jspecify.annotations.Nullable;

/// IP addresses in documents. Never resolves a name.
final class Addresses {
    private Addresses() {}

    /// @return null for what is no address
    static @Nullable InetAddress parse(String text) {
        if (text.indexOf('%') >= 0) {
            return null; // a scope belongs to one machine's interfaces
        }
        try {
            return InetAddress.ofLiteral(text);
        } catch (IllegalArgumentException _) {
            return null;
        }
    }

    /// Whether a pod or a service can be reached by it from elsewhere.
    static boolean isUsableByPod(InetAddress ip) {
        return !ip.isAnyLocalAddress()
                && !ip.isLoopbackAddress()
                && !ip.isMulticastAddress()
                && !ip.isLinkLocalAddress();
    }
}
