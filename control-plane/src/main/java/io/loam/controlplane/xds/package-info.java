/// Delta xDS towards proxies. A stream is a {@link io.loam.controlplane.xds.ProxyStream}; what it still has to be
/// told decides {@link io.loam.controlplane.xds.TypeSubscription}, from immutable {@link
/// io.loam.controlplane.xds.MeshResources}.
@NullMarked
package io.loam.controlplane.xds;

import org.jspecify.annotations.NullMarked;
