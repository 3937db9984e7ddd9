package io.loam.model.identity;

import java.util.Optional;

/// A workload's name in the mesh: `spiffe://<trust domain>/ns/<namespace>/sa/<service account>`.
///
/// Parsed once per handshake or configuration change, then compared by value.
///
/// @param trustDomain for example `cluster.local`; never empty
/// @param namespace Kubernetes namespace; never empty
/// @param serviceAccount Kubernetes service account; never empty
public record SpiffeId(String trustDomain, String namespace, String serviceAccount) {
    private static final String SCHEME = "spiffe://";

    public SpiffeId {
        requireSegment("trust domain", trustDomain);
        requireSegment("namespace", namespace);
        requireSegment("service account", serviceAccount);
    }

    /// Reads the one form that carries a workload identity. Everything else (other paths, other schemes,
    /// upper-case scheme, percent-encoding, control characters) is no identity.
    public static Optional<SpiffeId> parse(String uri) {
        if (!uri.startsWith(SCHEME)) {
            return Optional.empty();
        }
        return parsePrincipal(uri.substring(SCHEME.length()));
    }

    /// Reads the form of {@link #principal}, as strictly as {@link #parse} does.
    public static Optional<SpiffeId> parsePrincipal(String principal) {
        var parts = principal.split("/", -1);
        if (parts.length != 5 || !parts[1].equals("ns") || !parts[3].equals("sa")) {
            return Optional.empty();
        }
        return isSegment(parts[0]) && isSegment(parts[2]) && isSegment(parts[4])
                ? Optional.of(new SpiffeId(parts[0], parts[2], parts[4]))
                : Optional.empty();
    }

    /// The identity these names make, if all of them fit into one.
    public static Optional<SpiffeId> of(String trustDomain, String namespace, String serviceAccount) {
        return isSegment(trustDomain) && isSegment(namespace) && isSegment(serviceAccount)
                ? Optional.of(new SpiffeId(trustDomain, namespace, serviceAccount))
                : Optional.empty();
    }

    /// The form policies are written in: `<trust domain>/ns/<namespace>/sa/<service account>`, without the
    /// scheme.
    public String principal() {
        return trustDomain + "/ns/" + namespace + "/sa/" + serviceAccount;
    }

    /// The URI as it stands in a certificate.
    @Override
    public String toString() {
        return SCHEME + principal();
    }

    private static void requireSegment(String what, String value) {
        if (!isSegment(value)) {
            throw new IllegalArgumentException(
                    what + ": \"" + value + "\" (expected: one or more of a-z A-Z 0-9 . _ -)");
        }
    }

    /// SPIFFE-ID, 2.1 and 2.2: the characters that trust domains and path segments may have.
    private static boolean isSegment(String value) {
        if (value.isEmpty() || value.equals(".") || value.equals("..")) {
            return false;
        }
        for (int i = 0; i < value.length(); i++) {
            char c = value.charAt(i);
            boolean allowed = (c >= 'a' && c <= 'z')
                    || (c >= 'A' && c <= 'Z')
                    || (c >= '0' && c <= '9')
                    || c == '.'
                    || c == '_'
                    || c == '-';
            if (!allowed) {
                return false;
            }
        }
        return true;
    }
}
