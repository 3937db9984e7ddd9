/// From a cluster to the mesh model. Start at {@link io.loam.config.compile.MeshCompiler}.
@NullMarked
package io.loam.config.compile;

import org.jspecify.annotations.NullMarked;
