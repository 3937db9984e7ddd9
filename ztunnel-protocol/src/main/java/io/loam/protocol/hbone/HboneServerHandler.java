package io.loam.protocol.hbone;

/// placeholder
@SuppressWarnings("DoNotCallSuggester")
public final class HboneServerHandler {
    private HboneServerHandler() {}

    public static io.netty.channel.ChannelHandler create(ConnectHandler connects) {
        throw new UnsupportedOperationException("not yet: " + connects);
    }
}
