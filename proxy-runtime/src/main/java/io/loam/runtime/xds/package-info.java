/// The mesh as the control plane tells it: delta ADS in, snapshots out. Start at {@link
/// io.loam.runtime.xds.XdsClient}.
@NullMarked
package io.loam.runtime.xds;

import org.jspecify.annotations.NullMarked;
