/// What the control plane sends about the mesh, between the messages on the wire and the model. Start at
/// {@link io.loam.protocol.xds.WorkloadMapping}; the rules are in the wire reference, 4.2 to 4.4.
@NullMarked
package io.loam.protocol.xds;

import org.jspecify.annotations.NullMarked;
