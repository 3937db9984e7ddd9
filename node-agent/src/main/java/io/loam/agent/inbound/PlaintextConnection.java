package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.pod.LocalPod;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.decision.ServiceAttribution;
import io.loam.model.failure.ErrorCode;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.workload.Workload;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.SocketRelay;
import io.netty.channel.socket.DuplexChannel;
import java.net.InetSocketAddress;

/// A plaintext connection from the accept to the relay (wire reference, 3.3): destination, workload, verdict without
/// an identity, dial, relay, in this order. What is the same for every connection is in {@link OpenConnection}, whose
/// event loop it belongs to.
final class PlaintextConnection {
    private final OpenConnection connection;
    private final InboundServices services;
    private final ApplicationSocket caller;
    private final InetSocketAddress target;
    private final PolicyCheck policies;

    private PlaintextConnection(
            OpenConnection connection,
            InboundServices services,
            ApplicationSocket caller,
            InetSocketAddress target,
            ConnectionAttributes attributes) {
        this.connection = connection;
        this.services = services;
        this.caller = caller;
        this.target = target;
        policies = new PolicyCheck(services, connection, attributes, this::dial);
    }

    /// @param target what the caller wanted to reach
    static OpenConnection begin(
            LocalPod pod,
            InboundServices services,
            DuplexChannel accepted,
            InetSocketAddress target,
            OpenConnection.Caller caller) {
        var source = OriginalAddress.folded((InetSocketAddress) accepted.remoteAddress());
        var report = new ConnectionReport(services.telemetry(), Direction.INBOUND, source);
        report.destinationAddress(target);
        var socket = ApplicationSocket.of(accepted); // keeps what comes early
        var attributes = new ConnectionAttributes(null, source.getAddress(), target.getAddress(), target.getPort());
        var connection = new OpenConnection(services.registry(), pod, report, attributes, accepted.eventLoop(), caller);
        var plaintext = new PlaintextConnection(connection, services, socket, target, attributes);
        connection.begin(plaintext::look);
        return connection;
    }

    private void look() {
        if (ProxyPorts.isIllegalTarget(target.getPort())) {
            connection.fail(ErrorCode.LOOP, "port " + target.getPort() + " is the proxy's own");
        } else {
            connection.awaitWorkload(services.workloads(), this::authorize);
        }
    }

    private void authorize(Workload local) {
        services.addresses().mention(connection.report().sourceAddress().getAddress()); // for the report alone
        var mesh = services.mesh().current();
        var report = connection.report();
        var source = mesh.workloadByAddress(
                new NetworkAddress(services.network(), report.sourceAddress().getAddress()));
        report.source(source, null);
        report.destination(local, ServiceAttribution.of(mesh, local, null, target.getPort()), null);
        policies.ask();
    }

    private void dial(Workload local) {
        connection.dial(
                services.dialer(), target, connection.report().sourceAddress().getAddress(), this::join);
    }

    private void join(DuplexChannel application) {
        var relay = SocketRelay.of(ApplicationSocket.of(application), caller, connection);
        connection.relay(relay);
        relay.start();
    }
}
