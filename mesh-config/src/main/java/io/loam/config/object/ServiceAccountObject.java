package io.loam.config.object;

/// The account a pod runs as, and so its identity.
public record ServiceAccountObject(ObjectMeta meta) implements MeshObject {}
