package io.loam.agent.outbound;

import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorFlags;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.dns.HostLookup;
import io.loam.agent.pod.LocalPod;
import io.loam.model.decision.NamedEndpoint;
import io.loam.model.decision.OutboundRequest;
import io.loam.model.decision.OutboundRoute;
import io.loam.model.decision.OutboundRouter;
import io.loam.model.failure.ErrorCode;
import io.loam.model.service.Service;
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
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// An application's connection from the accept to the relay (wire reference, 3.2). The methods stand in the
/// order in which they run: who is it and where did it want to go; tunnel, plaintext or refusal; the address of
/// an endpoint that has a host name only; then the stream or the dial; then the relay. What is the same for
/// every connection is in {@link OpenConnection}, whose event loop it belongs to.
final class OutboundConnection implements PooledOpening {
    private final OpenConnection connection;
    private final OutboundServices services;
    private final StreamSource streams;
    private final HostLookup hosts;
    private final ApplicationSocket application;
    private final InetSocketAddress destination;

    /// The tunnel that was asked for; null before, and when it is there.
    private @Nullable TunnelKey asked;

    private boolean askedElsewhere;

    private OutboundConnection(
            OpenConnection connection,
            OutboundServices services,
            StreamSource streams,
            HostLookup hosts,
            ApplicationSocket application,
            InetSocketAddress destination) {
        this.connection = connection;
        this.services = services;
        this.streams = streams;
        this.hosts = hosts;
        this.application = application;
        this.destination = destination;
    }

    /// @param streams of the pod and the accepted connection's loop
    /// @param hosts of the same
    /// @param destination where the application wanted to go
    static OpenConnection begin(
            LocalPod pod,
            OutboundServices services,
            StreamSource streams,
            HostLookup hosts,
            DuplexChannel accepted,
            InetSocketAddress destination,
            OpenConnection.Caller caller) {
        var source = OriginalAddress.folded((InetSocketAddress) accepted.remoteAddress());
        var report = new ConnectionReport(services.telemetry(), Direction.OUTBOUND, source);
        report.destinationAddress(destination);
        var application = ApplicationSocket.of(accepted); // keeps what comes early
        var connection = new OpenConnection(services.registry(), pod, report, null, accepted.eventLoop(), caller);
        var outbound = new OutboundConnection(connection, services, streams, hosts, application, destination);
        connection.begin(outbound::look);
        return connection;
    }

    /// The destination first: what the source may do is then looked up as it is at the end of all waiting.
    private void look() {
        if (services.addresses().knowsEverything()) {
            connection.awaitWorkload(services.workloads(), this::route);
        } else {
            connection.awaitDestination(
                    services.addresses(),
                    destination.getAddress(),
                    () -> connection.awaitWorkload(services.workloads(), this::route));
        }
    }

    private void route(Workload source) {
        connection.leavesFor(destination); // not earlier: an address that was not heard of yet is no reason to cut
        var report = connection.report();
        report.source(source, null);
        switch (ask(source, null)) {
            case OutboundRoute.Tunnel tunnel -> follow(source, tunnel);
            case OutboundRoute.Plaintext(var target, var workload, var service) -> {
                report.destination(workload, service, null);
                if (target.isUnresolved()) {
                    resolve(source, target, service, ip -> dial(new InetSocketAddress(ip, target.getPort())));
                } else {
                    dial(target);
                }
            }
            case OutboundRoute.Refused(var reason, var detail, var service) -> {
                report.destination(null, service, null);
                connection.fail(ErrorCode.of(reason), detail);
            }
        }
    }

    private OutboundRoute ask(Workload source, @Nullable Workload avoided) {
        var from = connection.report().sourceAddress().getAddress();
        var request = new OutboundRequest(source, from, destination, services.network(), avoided);
        return OutboundRouter.route(services.mesh().current(), request, services.random());
    }

    private void follow(Workload source, OutboundRoute.Tunnel tunnel) {
        connection.report().destination(tunnel.destination(), tunnel.service(), null);
        if (tunnel.peer().isUnresolved()) {
            resolve(source, tunnel.peer(), tunnel.service(), address -> openTunnel(source, tunnel.at(address)));
        } else {
            openTunnel(source, tunnel);
        }
    }

    /// Hazard I12: addresses are reused before the mesh says so. It is asked once more, since it may have heard of
    /// it meanwhile, or know another endpoint. Only another tunnel counts: a mesh that has just lost the
    /// destination is no reason to send in plaintext what was meant for somebody with an identity.
    private void routeElsewhere(Workload source, TunnelKey before, OpenFailure failure) {
        var report = connection.report();
        if (ask(source, report.destinationWorkload()) instanceof OutboundRoute.Tunnel tunnel
                && !(tunnel.peer().equals(before.destination())
                        && tunnel.expectedIdentities().equals(before.destinations()))) {
            report.insteadOf(before.destination(), failure.reason());
            follow(source, tunnel);
        } else {
            report.nobodyElse();
            connection.fail(codeOf(failure), failure.reason());
        }
    }

    /// Goes on with an address of the target's host name.
    private void resolve(
            Workload source, InetSocketAddress target, @Nullable Service service, Consumer<InetAddress> next) {
        var host = target.getHostString();
        connection.awaitLookup(
                hosts.find(source, host, answer -> connection.guarded(() -> onAnswer(host, answer, service, next))));
    }

    private void onAnswer(
            String host, HostLookup.Answer answer, @Nullable Service service, Consumer<InetAddress> next) {
        switch (answer) {
            case HostLookup.Answer.Found(var addresses) -> {
                var chosen = NamedEndpoint.choose(addresses, service, destination.getAddress(), services.random());
                if (chosen == null) {
                    var detail = host + ": no endpoint can have its address "
                            + addresses.getFirst().getHostAddress()
                            + (addresses.size() == 1 ? "" : ", nor one of " + (addresses.size() - 1) + " more");
                    connection.fail(ErrorCode.UNRESOLVED, detail);
                } else {
                    next.accept(chosen);
                }
            }
            case HostLookup.Answer.NotFound(var reason) -> connection.fail(ErrorCode.UNRESOLVED, reason);
        }
    }

    private void dial(InetSocketAddress target) {
        connection.report().destinationAddress(target);
        connection.dial(services.dialer(), target, null, this::join);
    }

    private void openTunnel(Workload source, OutboundRoute.Tunnel route) {
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
        asked = key;
        connection.awaitStream(streams.open(key, request, this));
    }

    @Override
    public TunnelStream.Listener onOpened(Tunnel tunnel, TunnelStream stream, ConnectResponse response) {
        asked = null;
        connection.report().carriedBy(tunnel.channel());
        var relay = Relay.of(application, connection);
        connection.relay(relay);
        relay.start(stream); // may end at once, if the application has gone meanwhile
        return relay.streamListener();
    }

    @Override
    public void onFailed(OpenFailure failure) {
        var before = asked;
        if (failure instanceof OpenFailure.AnotherPeer && !askedElsewhere && before != null) {
            askedElsewhere = true;
            connection.guarded(() ->
                    connection.awaitWorkload(services.workloads(), source -> routeElsewhere(source, before, failure)));
        } else {
            connection.fail(codeOf(failure), failure.reason());
        }
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

    /// The tunnel's socket is bound to the pod's own address of the peer's family; without one the kernel
    /// chooses.
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
            case OpenFailure.AnotherPeer _ -> ErrorCode.TLS_REFUSED;
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
