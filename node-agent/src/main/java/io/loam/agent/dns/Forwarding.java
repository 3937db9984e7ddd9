package io.loam.agent.dns;

import io.netty.buffer.ByteBuf;
import java.net.InetSocketAddress;
import java.util.List;

/// Passes queries on to resolvers.
interface Forwarding {
    /// Asks one resolver after the other until one answers. Returns at once.
    ///
    /// @param message the query as it came; passes into the ownership of the callee
    /// @param resolvers at least one
    void forward(
            QueryMessage query,
            ByteBuf message,
            List<InetSocketAddress> resolvers,
            Transport transport,
            Listener listener);

    /// Hears of the end of one query: {@link #answered} or {@link #failed}, exactly once.
    interface Listener {
        /// @param answer may be changed; passes into the ownership of the callee
        void answered(ByteBuf answer);

        /// @param detail who was asked and what happened, for people
        void failed(Refusal reason, String detail);

        /// Something arrived that is not the answer; waiting goes on.
        void foreign(InetSocketAddress resolver);
    }
}
