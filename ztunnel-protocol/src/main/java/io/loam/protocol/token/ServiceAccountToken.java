package io.loam.protocol.token;

import java.time.Instant;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What a verified Kubernetes service-account token says. Holds the claims, not the token.
///
/// @param namespace of the service account
/// @param podName the pod the token is bound to; null for unbound tokens
/// @param podUid its UID
/// @param nodeName the node that pod runs on; null where the issuer does not say (Kubernetes before 1.29)
public record ServiceAccountToken(
        String issuer,
        String subject,
        List<String> audiences,
        String namespace,
        String serviceAccount,
        @Nullable String podName,
        @Nullable String podUid,
        @Nullable String nodeName,
        Instant expiresAt) {
    public ServiceAccountToken {
        audiences = List.copyOf(audiences);
    }
}
