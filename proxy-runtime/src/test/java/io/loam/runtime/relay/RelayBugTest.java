package io.loam.runtime.relay;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.hbone.TunnelStream;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelPromise;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.http2.Http2Error;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Hazards, rule 7: an error of our own in a relay ends both of its sides and is handed to who counts it.
class RelayBugTest {
    private final EmbeddedSocket application = new EmbeddedSocket();
    private final EmbeddedSocket peer = new EmbeddedSocket();
    private final List<RelayEnd> ends = new ArrayList<>();
    private final ScriptedStream stream = new ScriptedStream();

    @AfterEach
    void close() {
        application.finishAndReleaseAll();
        peer.finishAndReleaseAll();
    }

    private Relay relay(RelayListener listener) {
        var relay = Relay.of(ApplicationSocket.of(application), listener);
        relay.start(stream);
        return relay;
    }

    @Test
    void aStreamThatThrowsEndsTheRelayAsABug() {
        relay((end, _, _) -> ends.add(end));
        stream.failing = true;

        application.writeInbound(Unpooled.copyInt(1));

        assertThat(ends).hasExactlyElementsOfTypes(RelayEnd.Bug.class);
        assertThat(ends.getFirst().reason()).isEqualTo("bug: java.lang.IllegalStateException: write");
        assertThat(stream.resets).containsExactly(Http2Error.INTERNAL_ERROR.code());
        assertThat(application.isOpen()).isFalse();
    }

    @Test
    void aBugInTheStreamsListenerClosesTheApplicationsSocket() {
        var relay = relay((end, _, _) -> ends.add(end));

        relay.streamListener().onBug(new IllegalStateException("listener"));

        assertThat(ends).hasExactlyElementsOfTypes(RelayEnd.Bug.class);
        assertThat(application.isOpen()).isFalse();
    }

    @Test
    void whoThrowsWhenToldOfTheEndIsToldOfItAsABug() {
        relay((end, _, _) -> {
            ends.add(end);
            if (end instanceof RelayEnd.Reset) {
                throw new IllegalStateException("report");
            }
        });

        application.pipeline().fireExceptionCaught(new IOException("Connection reset by peer"));

        assertThat(ends).hasExactlyElementsOfTypes(RelayEnd.Reset.class, RelayEnd.Bug.class);
    }

    @Test
    void aFailureOfTheNetworkIsNoBug() {
        relay((end, _, _) -> ends.add(end));

        application.pipeline().fireExceptionCaught(new IOException("Connection reset by peer"));

        assertThat(ends).hasExactlyElementsOfTypes(RelayEnd.Reset.class);
    }

    @Test
    void aBugInARelayOfTwoSocketsClosesBoth() {
        SocketRelay.of(ApplicationSocket.of(application), ApplicationSocket.of(peer), (end, _, _) -> ends.add(end))
                .start();

        application.pipeline().fireExceptionCaught(new IllegalStateException("bug"));

        assertThat(ends).hasExactlyElementsOfTypes(RelayEnd.Bug.class);
        assertThat(application.isOpen()).isFalse();
        assertThat(peer.isOpen()).isFalse();
    }

    private static final class ScriptedStream implements TunnelStream {
        private final List<Long> resets = new ArrayList<>();
        private boolean failing;

        @Override
        public void write(ByteBuf data) {
            data.release();
            if (failing) {
                throw new IllegalStateException("write");
            }
        }

        @Override
        public void flush() {}

        @Override
        public boolean isWritable() {
            return true;
        }

        @Override
        public void credit(int bytes) {}

        @Override
        public void endStream() {}

        @Override
        public void reset(long errorCode) {
            resets.add(errorCode);
        }
    }

    /// A socket in memory; these tests end it as a whole, never one direction of it.
    private static final class EmbeddedSocket extends EmbeddedChannel implements DuplexChannel {
        @Override
        public boolean isInputShutdown() {
            return !isActive();
        }

        @Override
        public ChannelFuture shutdownInput() {
            return close();
        }

        @Override
        public ChannelFuture shutdownInput(ChannelPromise promise) {
            return close(promise);
        }

        @Override
        public boolean isOutputShutdown() {
            return !isActive();
        }

        @Override
        public ChannelFuture shutdownOutput() {
            return close();
        }

        @Override
        public ChannelFuture shutdownOutput(ChannelPromise promise) {
            return close(promise);
        }

        @Override
        public boolean isShutdown() {
            return !isActive();
        }

        @Override
        public ChannelFuture shutdown() {
            return close();
        }

        @Override
        public ChannelFuture shutdown(ChannelPromise promise) {
            return close(promise);
        }
    }
}
