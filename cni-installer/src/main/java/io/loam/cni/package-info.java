/// The privileged half on each node: brings pods into the mesh and takes them out again. Start at
/// {@link io.loam.cni.NodeEnroller}.
@NullMarked
package io.loam.cni;

import org.jspecify.annotations.NullMarked;
