package io.loam.runtime.identity;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.MeshTls;
import org.jspecify.annotations.Nullable;

/// One identity as the configuration dump shows it.
///
/// @param current the certificate in use, or null
/// @param lastError why the last request failed, or null
public record CertificateState(
        SpiffeId identity,
        @Nullable MeshTls current,
        @Nullable String lastError) {}
