package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// Notes what a stream says.
final class RecordingListener implements TunnelStream.Listener {
    final List<String> heard = new ArrayList<>();

    @Override
    public void onData(ByteBuf data) {
        heard.add(data.toString(StandardCharsets.US_ASCII));
        data.release();
    }

    @Override
    public void onReadComplete() {
        heard.add("|");
    }

    @Override
    public void onEndStream() {
        heard.add("END");
    }

    @Override
    public void onFinished() {
        heard.add("FINISHED");
    }

    @Override
    public void onReset(long errorCode) {
        heard.add("RESET " + ConnectFailure.errorName(errorCode));
    }

    @Override
    public void onWritable() {
        heard.add("WRITABLE");
    }

    @Override
    public void onBug(Throwable cause) {
        heard.add("BUG " + cause.getMessage());
    }
}
