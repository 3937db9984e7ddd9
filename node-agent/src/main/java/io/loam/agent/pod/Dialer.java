package io.loam.agent.pod;

import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// Opens connections in the namespaces of pods; {@link PodDialer} outside of tests.
public interface Dialer {
    /// On `loop`. What is dialled is of a kind that can be half-closed, and is not read yet.
    ///
    /// @param source address that the target shall see as the caller's; null for the pod's own
    /// @return fails when the target cannot be reached; cancelling it gives the dial up
    /// @throws IOException if no socket can be had
    ChannelFuture dial(LocalPod pod, EventLoop loop, InetSocketAddress target, @Nullable InetAddress source)
            throws IOException;
}
