/// The whole mesh at one moment, with the indexes that answer lookups. Start at
/// {@link io.loam.model.mesh.MeshSnapshot}.
@NullMarked
package io.loam.model.mesh;

import org.jspecify.annotations.NullMarked;
