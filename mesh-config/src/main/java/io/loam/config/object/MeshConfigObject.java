package io.loam.config.object;

/// What counts here of Istio's mesh-wide settings, from `IstioOperator` or from the ConfigMap `istio`.
///
/// @param kind of the document
public record MeshConfigObject(ObjectMeta meta, String kind, EgressMode egress) implements MeshObject {}
