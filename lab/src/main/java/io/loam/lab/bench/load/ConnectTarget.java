package io.loam.lab.bench.load;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import io.loam.protocol.linux.ResourceLimits;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.socket.SocketChannel;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.slf4j.LoggerFactory;

/// The end of tunnels that a client asked for, as a program inside a pod: it takes the CONNECT and then, like the nginx
/// of the other candidates, answers each request in the tunnel with a small page, from one thread. nginx refuses
/// CONNECT, so a tunnel that ends there is none. The page repeats the path that was asked for: an answer that does
/// proves that bytes went through the tunnel both ways.
public final class ConnectTarget {
    private static final String ESTABLISHED = "HTTP/1.1 200 Connection established\r\n\r\n";
    private static final String END_OF_HEAD = "\r\n\r\n";
    private static final int BACKLOG = 4096;

    private ConnectTarget() {}

    /// @param args port on 127.0.0.1, least length of a page
    static void main(String[] args) throws InterruptedException, IOException {
        ((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).setLevel(Level.OFF);
        ResourceLimits.raiseOpenFiles();
        serve(Integer.parseInt(args[0]), Integer.parseInt(args[1]))
                .closeFuture()
                .sync();
    }

    /// @param port 0 for any
    static io.netty.channel.Channel serve(int port, int pageBytes) throws InterruptedException {
        var page = new Page(pageBytes);
        var group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
        var listening = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        channel.pipeline().addLast("tunnel", new TunnelEnd(page));
                    }
                })
                .bind("127.0.0.1", port)
                .sync()
                .channel();
        listening.closeFuture().addListener(_ -> {
            var _ = group.shutdownGracefully();
        });
        return listening;
    }

    /// The answer for the path that was asked for last, which under load is the only one. Lives on the one loop.
    private static final class Page {
        private final int leastBytes;
        private String path = "";
        private ByteBuf answer = LoadLoop.constant("");

        Page(int leastBytes) {
            this.leastBytes = leastBytes;
        }

        ByteBuf answerTo(String asked) {
            if (!asked.equals(path)) {
                path = asked;
                var page = path + "x".repeat(Math.max(0, leastBytes - path.length()));
                answer = LoadLoop.constant("HTTP/1.1 200 OK\r\nContent-Length: " + page.length() + END_OF_HEAD + page);
            }
            return answer.duplicate();
        }
    }

    private static final class TunnelEnd extends ChannelInboundHandlerAdapter {
        private final Page page;
        private final StringBuilder input = new StringBuilder();
        private boolean established;

        TunnelEnd(Page page) {
            this.page = page;
        }

        @Override
        public void channelRead(ChannelHandlerContext ctx, Object message) {
            var bytes = (ByteBuf) message;
            input.append(bytes.toString(StandardCharsets.ISO_8859_1));
            bytes.release();
            for (int end = input.indexOf(END_OF_HEAD); end >= 0; end = input.indexOf(END_OF_HEAD)) {
                answer(ctx, input.substring(0, end));
                input.delete(0, end + END_OF_HEAD.length());
            }
        }

        private void answer(ChannelHandlerContext ctx, String head) {
            if (!established && head.startsWith("CONNECT ")) {
                established = true;
                var _ = ctx.writeAndFlush(LoadLoop.constant(ESTABLISHED));
            } else if (established && head.startsWith("GET ")) {
                var _ = ctx.writeAndFlush(page.answerTo(head.split(" ", 3)[1]));
            } else {
                var _ = ctx.close(); // a request outside of a tunnel, or a tunnel in a tunnel: neither is measured
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            var _ = ctx.close(); // clients end their connections with resets
        }
    }
}
