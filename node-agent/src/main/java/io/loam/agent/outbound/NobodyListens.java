package io.loam.agent.outbound;

import io.loam.protocol.hbone.TunnelStream;
import io.netty.buffer.ByteBuf;

/// Hears of a stream that was given up before anybody could take it.
enum NobodyListens implements TunnelStream.Listener {
    INSTANCE;

    @Override
    public void onData(ByteBuf data) {
        data.release();
    }

    @Override
    public void onReadComplete() {}

    @Override
    public void onEndStream() {}

    @Override
    public void onFinished() {}

    @Override
    public void onReset(long errorCode) {}

    @Override
    public void onWritable() {}
}
