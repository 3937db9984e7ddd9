package io.loam.protocol.tls;

import java.util.List;

/// What both ends of our tunnels ask of a handshake, besides certificates that fit.
///
/// @param keyExchanges those that are offered as a client and taken as a server, the preferred one first
///     (where both ends have several in common, the server's order decides); at least one. A peer that has
///     none of them is refused in the handshake
/// @param revocations asked about every peer whose certificate is good otherwise
public record HandshakeTerms(List<KeyExchange> keyExchanges, Revocations revocations) {
    public static final HandshakeTerms DEFAULT = new HandshakeTerms(KeyExchange.DEFAULT, Revocations.NONE);

    public HandshakeTerms {
        keyExchanges = List.copyOf(keyExchanges);
        if (keyExchanges.isEmpty()) {
            throw new IllegalArgumentException("key exchanges: none (expected: at least one)");
        }
    }
}
