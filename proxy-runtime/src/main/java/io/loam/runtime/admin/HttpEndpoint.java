package io.loam.runtime.admin;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.unix.UnixChannelOption;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpContentCompressor;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpServerCodec;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.QueryStringDecoder;
import io.netty.handler.timeout.ReadTimeoutHandler;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A small HTTP server for operators. Answers are computed on virtual threads, because a dump of a large mesh takes
/// longer than a loop may be held.
@SuppressWarnings(
        "FutureReturnValueIgnored") // a failed write or close ends the connection, which is all there is to do
public final class HttpEndpoint implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(HttpEndpoint.class);
    private static final int LARGEST_REQUEST_BYTES = 64 * 1024;
    private static final int IDLE_SECONDS = 60;

    /// Who answers: while one agent replaces another, both listen on the port.
    private static final String PROCESS_HEADER = "x-agent-pid";

    private static final long PROCESS = ProcessHandle.current().pid();

    private final Channel listener;

    private HttpEndpoint(Channel listener) {
        this.listener = listener;
    }

    /// @param routes path → what answers it; may block
    /// @throws IOException if the address cannot be bound, with address and reason
    public static HttpEndpoint open(
            EventLoopGroup group, InetSocketAddress address, Map<String, Function<HttpRequest, HttpReply>> routes)
            throws IOException {
        var bound = new ServerBootstrap()
                .group(group)
                .channel(EpollServerSocketChannel.class)
                .option(ChannelOption.SO_REUSEADDR, true)
                .option(UnixChannelOption.SO_REUSEPORT, true) // for a successor, which starts while we serve
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel ch) {
                        ch.pipeline()
                                .addLast("idle", new ReadTimeoutHandler(IDLE_SECONDS)) // forgotten connections end
                                .addLast("http", new HttpServerCodec())
                                .addLast("compressed", new HttpContentCompressor()) // for who asks for it
                                .addLast("whole", new HttpObjectAggregator(LARGEST_REQUEST_BYTES)) // 413 above
                                .addLast("route", new RouteHandler(routes));
                    }
                })
                .bind(address)
                .awaitUninterruptibly();
        if (!bound.isSuccess()) {
            throw new IOException(
                    "cannot listen on " + address + ": " + bound.cause().getMessage(), bound.cause());
        }
        return new HttpEndpoint(bound.channel());
    }

    public InetSocketAddress address() {
        return (InetSocketAddress) listener.localAddress();
    }

    /// Takes no more connections; requests under way are answered. Waits for its loop, so not to be called
    /// on it.
    @Override
    public void close() {
        listener.close().awaitUninterruptibly();
    }

    private static final class RouteHandler extends SimpleChannelInboundHandler<FullHttpRequest> {
        private final Map<String, Function<HttpRequest, HttpReply>> routes;

        RouteHandler(Map<String, Function<HttpRequest, HttpReply>> routes) {
            this.routes = routes;
        }

        @Override
        protected void channelRead0(ChannelHandlerContext ctx, FullHttpRequest message) {
            if (message.decoderResult().isFailure()) {
                ctx.close();
                return;
            }
            var uri = new QueryStringDecoder(message.uri());
            var request = new HttpRequest(
                    message.method().name(), uri.parameters(), message.headers().get(HttpHeaderNames.ACCEPT, ""));
            boolean keepAlive = HttpUtil.isKeepAlive(message);
            boolean head = request.method().equals("HEAD");
            var route = routes.get(uri.path());
            if (route == null) {
                reply(ctx, HttpReply.text(404, "not found; GET / lists what there is\n"), keepAlive, head);
                return;
            }
            Thread.ofVirtual().name("loam-admin").start(() -> {
                HttpReply answer;
                try {
                    answer = route.apply(request);
                } catch (RuntimeException e) {
                    log.error("admin request failed path={}", uri.path(), e);
                    answer = HttpReply.text(500, "internal error; see the log\n");
                }
                var result = answer;
                ctx.executor().execute(() -> reply(ctx, result, keepAlive, head));
            });
        }

        private static void reply(ChannelHandlerContext ctx, HttpReply reply, boolean keepAlive, boolean head) {
            byte[] bytes = reply.body().getBytes(StandardCharsets.UTF_8);
            var body = head ? Unpooled.EMPTY_BUFFER : Unpooled.wrappedBuffer(bytes);
            var response =
                    new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, HttpResponseStatus.valueOf(reply.status()), body);
            response.headers()
                    .set(HttpHeaderNames.CONTENT_TYPE, reply.contentType())
                    .set(HttpHeaderNames.CONTENT_LENGTH, bytes.length)
                    .set(PROCESS_HEADER, PROCESS);
            HttpUtil.setKeepAlive(response, keepAlive);
            var sent = ctx.writeAndFlush(response);
            if (!keepAlive) {
                sent.addListener(ChannelFutureListener.CLOSE);
            }
        }

        @Override
        public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
            log.debug("admin connection ended peer={}", ctx.channel().remoteAddress(), cause);
            ctx.close();
        }
    }
}
