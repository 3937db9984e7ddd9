package io.loam.lab.bench.load;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/// One HTTP/1.1 connection with at most one request on the way. Every answer of one target has the same length, so
/// after
/// the first one answers are counted, not parsed. Lives on its event loop.
final class KeptConnection extends ChannelInboundHandlerAdapter {
    private static final Pattern CONTENT_LENGTH = Pattern.compile("(?i)\r\ncontent-length: *(\\d+)\r\n");
    private static final String END_OF_HEAD = "\r\n\r\n";

    private final Listener listener;
    private final StringBuilder firstAnswer = new StringBuilder();
    private int answerBytes;
    private int missingBytes;

    interface Listener {
        /// The answer to the request on the way is complete.
        void answered(KeptConnection connection, ChannelHandlerContext ctx);

        /// The connection cannot be used any more.
        void broken(String reason);
    }

    KeptConnection(Listener listener) {
        this.listener = listener;
    }

    @Override
    public void channelRead(ChannelHandlerContext ctx, Object message) {
        var bytes = (ByteBuf) message;
        int count = bytes.readableBytes();
        if (answerBytes == 0) {
            firstAnswer.append(bytes.toString(StandardCharsets.ISO_8859_1));
            bytes.release();
            learn(ctx);
            return;
        }
        bytes.release();
        if (missingBytes == 0) {
            missingBytes = answerBytes;
        }
        missingBytes -= count;
        if (missingBytes < 0) {
            listener.broken("an answer was longer than the first one");
            var _ = ctx.close();
        } else if (missingBytes == 0) {
            listener.answered(this, ctx);
        }
    }

    private void learn(ChannelHandlerContext ctx) {
        int headEnd = firstAnswer.indexOf(END_OF_HEAD);
        if (headEnd < 0) {
            return;
        }
        var length = CONTENT_LENGTH.matcher(firstAnswer);
        if (firstAnswer.indexOf("HTTP/1.1 200") != 0 || !length.find()) {
            listener.broken("not an answer of the target: " + firstAnswer.substring(0, headEnd));
            var _ = ctx.close();
            return;
        }
        int expected = headEnd + END_OF_HEAD.length() + Integer.parseInt(length.group(1));
        if (firstAnswer.length() == expected) {
            answerBytes = expected;
            listener.answered(this, ctx);
        }
    }

    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        listener.broken("a connection was closed");
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        listener.broken(cause.toString());
        var _ = ctx.close();
    }
}
