package io.loam.runtime.tunnel;

import io.loam.protocol.hbone.HboneConfig;
import io.loam.protocol.hbone.ReceiveBudget;
import io.netty.channel.EventLoop;

/// What every peer of a pool shares.
record PoolParts(
        EventLoop loop,
        TunnelSockets sockets,
        ClientTlsSource tls,
        TunnelPoolConfig config,
        HboneConfig hbone,
        ReceiveBudget budget) {}
