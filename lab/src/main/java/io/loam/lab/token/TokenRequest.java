package io.loam.lab.token;

import java.time.Duration;
import java.util.List;

/// Whom a token is for, as the projected volume of a pod asks for it.
///
/// @param serviceAccountUid any text that stays the same while the account exists
/// @param validity of the token; 12 h in Istio's manifests
public record TokenRequest(
        String namespace,
        String serviceAccount,
        String serviceAccountUid,
        String podName,
        String podUid,
        String nodeName,
        String nodeUid,
        List<String> audiences,
        Duration validity) {
    public TokenRequest {
        audiences = List.copyOf(audiences);
        if (audiences.isEmpty()) {
            throw new IllegalArgumentException("audiences: none (expected: at least one, for example istio-ca)");
        }
        if (!validity.isPositive()) {
            throw new IllegalArgumentException("validity: " + validity + " (expected: > PT0S)");
        }
    }
}
