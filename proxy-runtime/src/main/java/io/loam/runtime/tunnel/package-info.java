/// Outbound tunnels: who may share one, how they are dialled and when they go. Start at
/// {@link io.loam.runtime.tunnel.TunnelPool}.
@NullMarked
package io.loam.runtime.tunnel;

import org.jspecify.annotations.NullMarked;
