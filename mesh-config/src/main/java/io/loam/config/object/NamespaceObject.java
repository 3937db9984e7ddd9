package io.loam.config.object;

/// A namespace; its labels decide which of its pods belong to the mesh.
public record NamespaceObject(ObjectMeta meta) implements MeshObject {}
