package io.loam.runtime.tunnel;

import io.netty.channel.Channel;

/// Opens the sockets of tunnels.
@FunctionalInterface
public interface TunnelSockets {
    /// Called on the pool's event loop.
    ///
    /// @return an unregistered stream channel, opened in the source workload's network namespace and with its mark
    ///     and transparency already set; the pool binds it to the key's source address and connects it
    /// @throws SocketLimitException when the workload or the node may hold no more
    /// @throws Exception when no socket can be had; the dial fails with it
    Channel open(TunnelKey key) throws Exception;
}
