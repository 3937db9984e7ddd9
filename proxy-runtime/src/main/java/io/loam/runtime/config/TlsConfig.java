package io.loam.runtime.config;

import io.loam.protocol.tls.KeyExchange;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The handshakes of tunnels.
///
/// @param keyExchanges what is offered and taken, the preferred one first (`LOAM_TLS_GROUPS`, names
///     separated by commas), each at most once. Default `X25519MLKEM768,X25519,P-256`: post-quantum with
///     every peer that has it. As with ztunnel `COMPLIANCE_POLICY=pqc` takes X25519MLKEM768 only, so that
///     peers without it are refused
/// @param revocationLists a file of revocation lists in PEM or DER (`CRL_PATH`), read again whenever it
///     changes. Default null: certificates count until they end
public record TlsConfig(
        List<KeyExchange> keyExchanges, @Nullable Path revocationLists) {
    public TlsConfig {
        keyExchanges = List.copyOf(keyExchanges);
        new Checks()
                .require(
                        !keyExchanges.isEmpty() && EnumSet.copyOf(keyExchanges).size() == keyExchanges.size(),
                        "LOAM_TLS_GROUPS",
                        keyExchanges,
                        "each of " + KeyExchange.DEFAULT + " at most once, and at least one")
                .done();
    }
}
