package io.loam.agent.outbound;

import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorFlags;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.failure.ErrorCode;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.ConnectFailure;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.Tunnel;
import io.loam.protocol.hbone.TunnelStream;
import io.loam.protocol.header.Forwarded;
import io.loam.protocol.header.TraceParent;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.Relay;
import io.loam.runtime.relay.SocketRelay;
import io.loam.runtime.tunnel.OpenFailure;
import io.loam.runtime.tunnel.PooledOpening;
import io.loam.runtime.tunnel.StreamSource;
import io.loam.runtime.tunnel.TunnelKey;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetAddress;
import java.net.InetSocketAddress;

/// An application's connection from the accept to the relay (wire reference, 3.2). The methods stand in the order in
/// which they run: who is it and where did it want to go; tunnel, plaintext or refusal; then the stream or the dial;
/// then the relay. What is the same for every connection is in {@link OpenConnection}, whose event loop it belongs to.
final class OutboundConnection implements PooledOpening {
    private final OpenConnection connection;
    private final OutboundServices services;
    private final StreamSource streams;
    private final ApplicationSocket application;
    private final InetSocketAddress destination;

    private OutboundConnection(
            OpenConnection connection,
            OutboundServices services,
            StreamSource streams,
            ApplicationSocket application,
            InetSocketAddress destination) {
        this.connection = connection;
        this.services = services;
        this.streams = streams;
        this.application = application;
        this.destination = destination;
    }

    /// @param streams of the pod and the accepted connection's loop
    /// @param destination where the application wanted to go
    static OpenConnection begin(
            LocalPod pod,
            OutboundServices services,
            StreamSource streams,
            DuplexChannel accepted,
            InetSocketAddress destination,
            OpenConnection.Caller caller) {
        var source = OriginalAddress.folded((InetSocketAddress) accepted.remoteAddress());
        var report = new ConnectionReport(services.telemetry(), Direction.OUTBOUND, source);
        report.destinationAddress(destination);
        var application = ApplicationSocket.of(accepted); // keeps what comes early
        var connection = new OpenConnection(services.registry(), pod, report, null, accepted.eventLoop(), caller);
        var outbound = new OutboundConnection(connection, services, streams, application, destination);
        connection.leavesFor(destination);
        connection.begin(() -> connection.awaitWorkload(services.workloads(), outbound::route));
        return connection;
    }

    private void route(Workload source) {
        var report = connection.report();
        report.source(source, null);
        var from = report.sourceAddress().getAddress();
        var request = new OutboundRequest(source, from, destination, services.network());
        switch (OutboundRouter.route(services.mesh().current(), request, services.random())) {
            case OutboundRoute.Tunnel tunnel -> openTunnel(source, tunnel);
            case OutboundRoute.Plaintext(var target, var workload, var service) -> {
                report.destinationAddress(target);
                report.destination(workload, service, null);
                if (isResolved(target)) {
                    connection.dial(services.dialer(), target, null, this::join);
                }
            }
            case OutboundRoute.Refused(var reason, var detail) -> connection.fail(ErrorCode.of(reason), detail);
        }
    }

    private boolean isResolved(InetSocketAddress target) {
        if (target.isUnresolved()) {
            connection.fail(ErrorCode.UNRESOLVED, target + ": endpoints that are host names are not resolved yet");
            return false;
        }
        return true;
    }

    private void openTunnel(Workload source, OutboundRoute.Tunnel route) {
        if (!isResolved(route.peer())) {
            return;
        }
        var report = connection.report();
        var service = route.service();
        report.source(source, source.identity());
        report.destinationAddress(route.peer());
        report.tunnelTarget(route.authority());
        report.destination(
                route.destination(),
                service,
                route.destination().provableIdentity().orElse(null));
        var key = new TunnelKey(
                source.identity(), sourceAddress(source, route.peer()), route.expectedIdentities(), route.peer());
        var request = new ConnectRequest(
                route.authority(),
                connection.pod().baggage(source),
                Forwarded.of(report.sourceAddress(), service == null ? null : service.hostname())
                        .header(),
                TraceParent.fresh(services.random()).header());
        connection.awaitStream(streams.open(key, request, this));
    }

    @Override
    public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
        connection.report().carriedBy(tunnel.channel());
        var relay = Relay.of(application, connection);
        connection.relay(relay);
        relay.start(stream); // may end at once, if the application has gone meanwhile
        return relay.streamListener();
    }

    @Override
    public void onFailed(OpenFailure failure) {
        connection.fail(codeOf(failure), failure.reason());
    }

    @Override
    public void onBug(Throwable cause) {
        connection.bug(cause);
    }

    private void join(DuplexChannel dialled) {
        var relay = SocketRelay.of(application, ApplicationSocket.of(dialled), connection);
        connection.relay(relay);
        relay.start();
    }

    /// The tunnel's socket is bound to the pod's own address of the peer's family; without one the kernel chooses.
    private static InetAddress sourceAddress(Workload source, InetSocketAddress peer) {
        for (var address : source.addresses()) {
            if (address.getClass() == peer.getAddress().getClass()) {
                return address;
            }
        }
        return Wildcard.like(peer.getAddress());
    }

    private static ErrorCode codeOf(OpenFailure failure) {
        return switch (failure) {
            case OpenFailure.DialFailed _ -> ErrorCode.DIAL_FAILED;
            case OpenFailure.SocketLimit _ -> ErrorCode.OVERLOADED;
            case OpenFailure.NoCertificate _ -> ErrorCode.NO_CERTIFICATE;
            case OpenFailure.TlsRefused(var cause) -> ErrorFlags.ofHandshake(cause);
            case OpenFailure.TimedOut _ -> ErrorCode.TUNNEL_TIMEOUT;
            case OpenFailure.SetupFailed _ -> ErrorCode.TUNNEL_SETUP;
            case OpenFailure.TooManyWaiting _ -> ErrorCode.OVERLOADED;
            case OpenFailure.PoolClosed _ -> ErrorCode.DRAINED;
            case OpenFailure.ConnectFailed(ConnectFailure.RefusedStatus(var status)) ->
                status == 401 || status == 403 ? ErrorCode.PEER_DENIED : ErrorCode.PEER_REFUSED;
            case OpenFailure.ConnectFailed _ -> ErrorCode.PEER_REFUSED;
        };
    }
}
