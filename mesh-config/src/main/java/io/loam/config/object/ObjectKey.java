package io.loam.config.object;

/// What makes an object the same object when it is written again.
///
/// @param namespace "" for kinds that have none (Node, Namespace)
public record ObjectKey(String kind, String namespace, String name) {
    /// `Kind namespace/name`, or `Kind name` where there is no namespace.
    @Override
    public String toString() {
        return namespace.isEmpty() ? kind + " " + name : kind + " " + namespace + "/" + name;
    }
}
