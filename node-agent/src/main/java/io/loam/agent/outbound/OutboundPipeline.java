package io.loam.agent.outbound;

import io.loam.agent.connections.AcceptedConnection;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.dns.HostLookup;
import io.loam.agent.pod.LocalPod;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.runtime.tunnel.StreamSource;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoop;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.DuplexChannel;
import java.io.IOException;
import java.util.function.Function;

/// One connection that an application of the pod opened and the kernel redirected to port 15001. It is one step long:
/// the application's bytes are not touched before the {@link OutboundConnection} knows where they go, and then the
/// relay takes the connection's place.
public final class OutboundPipeline extends ChannelInitializer<EpollSocketChannel> {
    private final LocalPod pod;
    private final OutboundServices services;
    private final Function<EventLoop, ? extends StreamSource> pools;
    private final Function<EventLoop, ? extends HostLookup> hosts;

    /// @param pools the pod's pool of the given loop
    /// @param hosts what the pod knows of host names on the given loop
    public OutboundPipeline(
            LocalPod pod,
            OutboundServices services,
            Function<EventLoop, ? extends StreamSource> pools,
            Function<EventLoop, ? extends HostLookup> hosts) {
        this.pod = pod;
        this.services = services;
        this.pools = pools;
        this.hosts = hosts;
    }

    @Override
    protected void initChannel(EpollSocketChannel application) throws IOException {
        pod.sockets().localApplication(application);
        application.pipeline().addLast("outbound", new AcceptedConnection(services.telemetry(), this::begin));
    }

    private OpenConnection begin(DuplexChannel accepted, OpenConnection.Caller caller) {
        var destination = OriginalAddress.of((EpollSocketChannel) accepted);
        var loop = accepted.eventLoop();
        return OutboundConnection.begin(
                pod, services, pools.apply(loop), hosts.apply(loop), accepted, destination, caller);
    }
}
