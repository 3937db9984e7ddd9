package io.loam.agent.connections;

import io.netty.channel.Channel;
import io.netty.channel.ChannelException;
import io.netty.channel.ChannelOption;

/// Ends sockets with a TCP reset, so that a refusal does not look like an empty answer.
public final class Resets {
    private Resets() {}

    /// On the channel's event loop. Closing with linger 0 discards what is unsent and sends RST.
    public static void reset(Channel channel) {
        if (channel.isOpen()) {
            try {
                channel.config().setOption(ChannelOption.SO_LINGER, 0);
            } catch (ChannelException _) { // the socket is gone already: then there is nobody to be told
            }
            var _ = channel.close();
        }
    }
}
