/// The documents users write, as plain records. Start at {@link io.loam.config.object.MeshObject}.
@NullMarked
package io.loam.config.object;

import org.jspecify.annotations.NullMarked;
