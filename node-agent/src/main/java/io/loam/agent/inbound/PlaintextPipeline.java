package io.loam.agent.inbound;

import io.loam.agent.connections.AcceptedConnection;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.pod.LocalPod;
import io.loam.protocol.linux.OriginalAddress;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.DuplexChannel;
import java.io.IOException;

/// One plaintext connection from outside that the kernel redirected to port 15006. As with outbound ones the bytes
/// are not touched before the {@link PlaintextConnection} has its verdict.
public final class PlaintextPipeline extends ChannelInitializer<EpollSocketChannel> {
    private final LocalPod pod;
    private final InboundServices services;

    public PlaintextPipeline(LocalPod pod, InboundServices services) {
        this.pod = pod;
        this.services = services;
    }

    @Override
    protected void initChannel(EpollSocketChannel caller) throws IOException {
        pod.sockets().application(caller);
        caller.pipeline().addLast("plaintext", new AcceptedConnection(services.telemetry(), this::begin));
    }

    private OpenConnection begin(DuplexChannel accepted, OpenConnection.Caller caller) {
        var target = OriginalAddress.of((EpollSocketChannel) accepted);
        return PlaintextConnection.begin(pod, services, accepted, target, caller);
    }
}
