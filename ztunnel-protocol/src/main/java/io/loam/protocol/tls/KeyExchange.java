package io.loam.protocol.tls;

import java.util.List;
import java.util.Optional;

/// How the two ends of a tunnel agree on keys (RFC 8446, 4.2.7, "supported groups").
public enum KeyExchange {
    /// Post-quantum hybrid: whoever records the tunnel today cannot read it with a quantum computer later. 0.4 ms of
    /// CPU
    /// and 2.3 KB more per handshake than {@link #X25519} (fast path, section 5), paid rarely, since tunnels are
    /// pooled.
    X25519MLKEM768("X25519MLKEM768", 0x11ec),
    X25519("X25519", 0x001d),
    /// secp256r1, for peers that are bound to NIST's curves.
    P256("P-256", 0x0017);

    /// What tunnels offer and take if nobody says otherwise: with a peer that has no hybrid, the best that it has.
    public static final List<KeyExchange> DEFAULT = List.of(X25519MLKEM768, X25519, P256);

    private final String text;
    private final int number;

    KeyExchange(String text, int number) {
        this.text = text;
        this.number = number;
    }

    /// @return the one of this name as BoringSSL and settings spell it, upper or lower case
    public static Optional<KeyExchange> named(String name) {
        for (var exchange : values()) {
            if (exchange.text.equalsIgnoreCase(name)) {
                return Optional.of(exchange);
            }
        }
        return Optional.empty();
    }

    /// @return as registered with IANA, 0 to 65535; what the `key_share` of a ServerHello says
    public int number() {
        return number;
    }

    /// The name in settings.
    @Override
    public String toString() {
        return text;
    }
}
