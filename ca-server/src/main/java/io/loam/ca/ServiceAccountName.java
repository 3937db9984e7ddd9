package io.loam.ca;

/// A Kubernetes service account.
public record ServiceAccountName(String namespace, String name) {
    /// @param text `namespace/name`
    /// @throws IllegalArgumentException if it has another form
    public static ServiceAccountName parse(String text) {
        var parts = text.split("/", -1);
        if (parts.length != 2 || parts[0].isBlank() || parts[1].isBlank()) {
            throw new IllegalArgumentException("service account: \"" + text + "\" (expected: namespace/name)");
        }
        return new ServiceAccountName(parts[0], parts[1]);
    }

    /// `namespace/name`.
    @Override
    public String toString() {
        return namespace + "/" + name;
    }
}
