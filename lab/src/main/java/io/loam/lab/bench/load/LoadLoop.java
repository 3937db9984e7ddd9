package io.loam.lab.bench.load;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/// The one thread that all load of a process runs on, woken as exactly as the kernel can.
final class LoadLoop implements AutoCloseable {
    private final MultiThreadIoEventLoopGroup group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final EventLoop loop = group.next();

    /// @throws IOException if the kernel keeps its default of 50 µs that it may wake us late
    static LoadLoop start() throws IOException {
        var load = new LoadLoop();
        try {
            load.loop.submit(LoadLoop::wakeExactly).get();
            return load;
        } catch (ExecutionException e) {
            load.close();
            throw new IOException("no exact timer", e.getCause());
        } catch (InterruptedException e) {
            load.close();
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /// proc(5): the file of a thread is found under the thread's own number.
    private static Path wakeExactly() throws IOException {
        var thread = Files.readSymbolicLink(Path.of("/proc/thread-self")).getFileName();
        return Files.writeString(Path.of("/proc").resolve(thread).resolve("timerslack_ns"), "1");
    }

    EventLoop loop() {
        return loop;
    }

    /// Connections end with a reset, so that none stays behind in TIME_WAIT and takes a port.
    ChannelFuture connect(InetSocketAddress target, Supplier<ChannelHandler> handler) {
        return new Bootstrap()
                .group(loop)
                .channel(EpollSocketChannel.class)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.SO_LINGER, 0)
                .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, 10_000)
                .handler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        channel.pipeline().addLast("load", handler.get());
                    }
                })
                .connect(target);
    }

    static ByteBuf request(InetSocketAddress target) {
        var text = "GET / HTTP/1.1\r\nHost: " + target.getAddress().getHostAddress() + "\r\n\r\n";
        return constant(text);
    }

    /// Sent again and again, and nobody's to release.
    static ByteBuf constant(String text) {
        return Unpooled.unreleasableBuffer(Unpooled.wrappedBuffer(text.getBytes(StandardCharsets.US_ASCII)));
    }

    @Override
    public void close() {
        var _ = group.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
