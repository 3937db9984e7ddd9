package io.loam.runtime.loops;

import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// The threads that move bytes: one event loop per worker for application traffic, and one more that gRPC and the
/// admin endpoints share, so that a large configuration dump never delays a connection.
@SuppressWarnings("FutureReturnValueIgnored") // nobody waits for the end of the loops: the process ends with them
public final class EventLoops implements AutoCloseable {
    private final EventLoopGroup workers;
    private final EventLoopGroup control;
    private final List<EventLoop> loops;

    /// @param workerCount at least 1
    public EventLoops(int workerCount) {
        workers = new MultiThreadIoEventLoopGroup(
                workerCount, new DefaultThreadFactory("loam-worker", true), EpollIoHandler.newFactory());
        control = new MultiThreadIoEventLoopGroup(
                1, new DefaultThreadFactory("loam-control", true), EpollIoHandler.newFactory());
        var list = new ArrayList<EventLoop>(workerCount);
        for (EventExecutor executor : workers) {
            list.add((EventLoop) executor);
        }
        loops = List.copyOf(list);
    }

    /// The loops of application traffic. Each listener exists once per loop.
    public List<EventLoop> workers() {
        return loops;
    }

    /// The loop of gRPC and the admin endpoints.
    public EventLoopGroup control() {
        return control;
    }

    /// Every loop, for who watches over them.
    public List<EventLoop> all() {
        var all = new ArrayList<>(loops);
        for (EventExecutor executor : control) {
            all.add((EventLoop) executor);
        }
        return all;
    }

    /// Stops all loops without waiting for open connections: those were drained before, or their time is over.
    @Override
    public void close() {
        workers.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        control.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
}
