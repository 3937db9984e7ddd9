package io.loam.agent.dns;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;

/// Who waits for the answer to one query. Called on the event loop that the query came on, {@link #answer} or
/// {@link #drop} exactly once.
interface Asker {
    Transport transport();

    ByteBufAllocator allocator();

    /// The largest message that it takes, in bytes.
    int limitBytes(QueryMessage query);

    /// Whom it has asked, as far as the kernel tells; null otherwise.
    @Nullable
    InetSocketAddress originalDestination();

    /// @param answer passes into the ownership of the callee
    void answer(ByteBuf answer);

    /// There is nothing to say to it.
    void drop();
}
