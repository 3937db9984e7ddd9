package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorFlags;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.pod.LocalPod;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.InboundTarget;
import io.loam.model.decision.ServiceAttribution;
import io.loam.model.failure.ErrorCode;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.service.Service;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.ConnectHandler;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.PendingStream;
import io.loam.protocol.header.Forwarded;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.metrics.FailureFlag;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.Relay;
import io.netty.channel.Channel;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The CONNECT requests of one tunnel whose peer is proved (wire reference, 3.3). Each goes through target, verdict,
/// dial and answer, in this order: 200 is said when the application has taken the connection. What is the same for
/// every connection is in {@link OpenConnection}. Belongs to the tunnel's event loop.
final class InboundTunnel implements ConnectHandler {
    private static final Logger log = LoggerFactory.getLogger(InboundTunnel.class);

    private static final int UNAUTHORIZED = 401;
    private static final int UNAVAILABLE = 503;

    /// That no service leads to.
    private static final int NO_PORT = -1;

    private final LocalPod pod;
    private final InboundServices services;
    private final Channel tunnel;
    private final SpiffeId peer;
    private final InetSocketAddress accepted;
    private final InetSocketAddress source;

    /// @param tunnel its connection, on whose loop everything happens
    /// @param peer from the verified certificate
    /// @param accepted the tunnel's own end
    /// @param source the peer's end of the tunnel
    InboundTunnel(
            LocalPod pod,
            InboundServices services,
            Channel tunnel,
            SpiffeId peer,
            InetSocketAddress accepted,
            InetSocketAddress source) {
        this.pod = pod;
        this.services = services;
        this.tunnel = tunnel;
        this.peer = peer;
        this.accepted = accepted;
        this.source = source;
        services.addresses().mention(source.getAddress());
    }

    @Override
    public void onConnect(ConnectRequest request, PendingStream stream) {
        services.addresses().mention(source.getAddress()); // for the report alone: who it is says the certificate
        var mesh = services.mesh().current();
        var local = pod.workload(mesh);
        var report = new ConnectionReport(services.telemetry(), Direction.INBOUND, source);
        report.destinationAddress(accepted);
        report.tunnelTarget(request.authority());
        report.carriedBy(tunnel);
        report.source(sourceWorkload(mesh), peer);
        if (local == null) {
            report.failed(ErrorCode.UNKNOWN_WORKLOAD, "local workload " + pod + " is not known any more");
            stream.refuse(UNAVAILABLE);
            return;
        }
        var target = InboundTarget.resolve(mesh, local, accepted, request.authority());
        report.destination(local, service(mesh, local, target, request), local.identity());
        switch (target) {
            case InboundTarget.Rejected(var status, var reason, var detail, var _) -> {
                report.failed(ErrorCode.of(reason), detail);
                stream.refuse(status);
            }
            case InboundTarget.Accepted to -> new Stream(to, stream, report).begin();
        }
    }

    /// What is refused counts for a service as well, if it is known which one the peer wanted.
    private static @Nullable Service service(
            MeshSnapshot mesh, Workload local, InboundTarget target, ConnectRequest request) {
        if (target.service() != null) {
            return target.service();
        }
        var forwarded = request.forwarded();
        var host = forwarded == null
                ? null
                : Forwarded.parse(forwarded).map(Forwarded::host).orElse(null);
        int port = target instanceof InboundTarget.Accepted to ? to.target().getPort() : NO_PORT;
        return ServiceAttribution.of(mesh, local, host, port);
    }

    @Override
    public void onBug(Throwable cause) {
        log.error("stream ended by a bug peer={}", peer, cause);
        services.telemetry().metrics().bug();
    }

    /// By address, and only if that workload is who the certificate names: addresses are reused (hazards I12, I13).
    private @Nullable Workload sourceWorkload(MeshSnapshot mesh) {
        var workload = mesh.workloadByAddress(new NetworkAddress(services.network(), source.getAddress()));
        return workload != null && peer.equals(workload.provableIdentity().orElse(null)) ? workload : null;
    }

    /// One stream whose target is known.
    private final class Stream implements OpenConnection.Caller {
        private final InboundTarget.Accepted to;
        private final PendingStream stream;
        private final OpenConnection connection;
        private final PolicyCheck policies;

        Stream(InboundTarget.Accepted to, PendingStream stream, ConnectionReport report) {
            this.to = to;
            this.stream = stream;
            var attributes = new ConnectionAttributes(
                    peer,
                    source.getAddress(),
                    to.target().getAddress(),
                    to.target().getPort());
            connection = new OpenConnection(services.registry(), pod, report, attributes, tunnel.eventLoop(), this);
            policies = new PolicyCheck(services, connection, attributes, this::dial);
        }

        void begin() {
            connection.begin(this::look);
        }

        private void look() {
            if (to.applicationTunnel()) {
                // TODO #4: PROXY protocol towards sandwiched waypoints. Until then they are refused, not served raw.
                connection.fail(ErrorCode.UNSUPPORTED, "application tunnels are not offered yet");
                return;
            }
            stream.whenAbandoned(
                    () -> connection.fail(ErrorCode.GAVE_UP, "the peer gave up before the application answered"));
            policies.ask();
        }

        private void dial(Workload local) {
            connection.dial(
                    services.dialer(), to.target(), source.getAddress(), application -> join(local, application));
        }

        private void join(Workload local, DuplexChannel application) {
            var relay = Relay.of(ApplicationSocket.of(application), connection);
            connection.relay(relay);
            var answer = services.responseBaggage() ? new ConnectResponse(pod.baggage(local)) : ConnectResponse.PLAIN;
            relay.start(stream.accept(answer, relay.streamListener()));
        }

        /// 401 says that a policy refused, 503 everything else (wire reference, 2.3).
        @Override
        public void refuse(ErrorCode code, String reason) {
            stream.refuse(ErrorFlags.of(code) == FailureFlag.DENY ? UNAUTHORIZED : UNAVAILABLE);
        }

        @Override
        public boolean holdsSocket() {
            return false;
        }

        @Override
        public void handOver() {} // the stream is opened by the answer
    }
}
