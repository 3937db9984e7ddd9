package io.loam.agent.inbound;

import io.loam.agent.connections.ConnectionRegistry;
import io.loam.agent.connections.ConnectionReport;
import io.loam.agent.connections.ErrorCode;
import io.loam.agent.connections.OpenConnection;
import io.loam.agent.connections.Resets;
import io.loam.agent.connections.RunningRelay;
import io.loam.agent.pod.LocalPod;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.ProxyPorts;
import io.loam.model.decision.ServiceAttribution;
import io.loam.model.policy.Authorizer;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.policy.Verdict;
import io.loam.model.workload.Workload;
import io.loam.protocol.linux.OriginalAddress;
import io.loam.runtime.accesslog.AccessLogEntry.Direction;
import io.loam.runtime.relay.ApplicationSocket;
import io.loam.runtime.relay.RelayEnd;
import io.loam.runtime.relay.SocketRelay;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollSocketChannel;
import java.io.IOException;
import java.net.InetSocketAddress;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A plaintext connection from the accept to the relay (wire reference, 3.3): destination, workload, verdict without
/// an identity, dial, relay. A refusal is a reset. Belongs to the connection's event loop.
final class PlaintextConnection extends ChannelInboundHandlerAdapter {
    private static final Logger log = LoggerFactory.getLogger(PlaintextConnection.class);

    private final LocalPod pod;
    private final InboundServices services;
    private @Nullable Attempt attempt;

    PlaintextConnection(LocalPod pod, InboundServices services) {
        this.pod = pod;
        this.services = services;
    }

    @Override
    public void channelActive(ChannelHandlerContext ctx) {
        var caller = (EpollSocketChannel) ctx.channel();
        var started = new Attempt(caller, OriginalAddress.of(caller));
        attempt = started;
        guarded(started, started::begin);
    }

    /// The socket at the end of the pipeline hears of it too, and closes what an exception left open.
    @Override
    public void channelInactive(ChannelHandlerContext ctx) {
        if (attempt != null) {
            attempt.fail(ErrorCode.GAVE_UP, "the caller closed the connection before it was established");
        }
        ctx.fireChannelInactive();
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext ctx, Throwable cause) {
        if (attempt != null && cause instanceof IOException) {
            attempt.fail(ErrorCode.GAVE_UP, "the caller's connection failed: " + cause.getMessage());
        } else if (attempt != null) {
            attempt.bug(cause);
        } else { // before anybody took the socket over: nothing behind this handler would close it
            log.error("connection ended by a bug peer={}", ctx.channel().remoteAddress(), cause);
            services.telemetry().metrics().bug();
            var _ = ctx.close();
            return;
        }
        ctx.fireExceptionCaught(cause);
    }

    /// A bug ends this connection and nothing else.
    private static void guarded(Attempt attempt, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            attempt.bug(e);
        }
    }

    /// What is known once the connection is accepted.
    private final class Attempt {
        private final EpollSocketChannel caller;
        private final ApplicationSocket socket;
        private final InetSocketAddress target;
        private final ConnectionReport report;
        private final OpenConnection open;
        private final ConnectionAttributes attributes;
        private @Nullable ChannelFuture pendingDial;
        private @Nullable RunningRelay relay;
        private boolean waitedForPolicies;
        private boolean over;

        Attempt(EpollSocketChannel caller, InetSocketAddress target) {
            this.caller = caller;
            this.socket = ApplicationSocket.of(caller); // keeps what comes early
            this.target = target;
            var source = OriginalAddress.folded(caller.remoteAddress());
            report = new ConnectionReport(services.telemetry(), Direction.INBOUND, source);
            report.destinationAddress(target);
            attributes = new ConnectionAttributes(null, source.getAddress(), target.getAddress(), target.getPort());
            open = new OpenConnection(pod, report, attributes, caller.eventLoop(), this::abort);
            pod.retain();
            services.registry().add(open); // before the first check, see ConnectionRegistry
        }

        private void begin() {
            if (ProxyPorts.isIllegalTarget(target.getPort())) {
                fail(ErrorCode.LOOP, "port " + target.getPort() + " is the proxy's own");
                return;
            }
            services.workloads().await(pod, caller.eventLoop(), local -> guarded(this, () -> authorize(local)));
        }

        private void authorize(@Nullable Workload local) {
            if (over) {
                return; // the caller gave up while we waited
            }
            if (local == null) {
                fail(ErrorCode.UNKNOWN_SOURCE, "failed to fetch information about local workload " + pod);
                return;
            }
            var mesh = services.mesh().current();
            var source = mesh.workloadByAddress(new NetworkAddress(
                    services.network(), report.sourceAddress().getAddress()));
            report.source(source, null);
            report.destination(local, ServiceAttribution.of(mesh, local, null, target.getPort()), null);
            switch (Authorizer.decide(mesh.policiesFor(local), attributes)) {
                case Verdict.Allowed _ -> dial();
                case Verdict.Undecided _
                when !waitedForPolicies -> {
                    waitedForPolicies = true;
                    services.workloads()
                            .awaitPolicies(pod, caller.eventLoop(), () -> guarded(this, this::authorizeAgain));
                }
                case Verdict refusal -> fail(ErrorCode.of(refusal), ConnectionRegistry.describe(refusal));
            }
        }

        private void authorizeAgain() {
            authorize(pod.workload(services.mesh().current()));
        }

        private void dial() {
            try {
                var dialling = ApplicationDialer.dial(
                        pod, caller.eventLoop(), target, report.sourceAddress().getAddress());
                pendingDial = dialling;
                var _ = dialling.addListener(_ -> guarded(this, () -> onDialled(dialling)));
            } catch (IOException e) {
                fail(ErrorCode.DIAL_FAILED, "no socket: " + e.getMessage());
            }
        }

        private void onDialled(ChannelFuture dialling) {
            pendingDial = null;
            var application = (EpollSocketChannel) dialling.channel();
            if (over) {
                var _ = application.close();
            } else if (!dialling.isSuccess()) {
                fail(ErrorCode.DIAL_FAILED, String.valueOf(dialling.cause().getMessage()));
            } else {
                report.opened();
                if (caller.pipeline().context(PlaintextConnection.this) != null) {
                    caller.pipeline().remove(PlaintextConnection.this);
                }
                var joined = SocketRelay.start(ApplicationSocket.of(application), socket, this::onRelayEnd);
                if (!over) {
                    relay = RunningRelay.of(joined, services.registry().sweepOf(caller.eventLoop()), report);
                }
            }
        }

        private void onRelayEnd(RelayEnd end, long fromApplication, long toApplication) {
            report.finished(end, relay == null ? null : relay.abortCode(), fromApplication, toApplication);
            leave();
        }

        private void abort(ErrorCode code, String reason) {
            if (relay != null) {
                relay.abort(code, reason);
            } else {
                fail(code, reason);
            }
        }

        private void fail(ErrorCode code, String error) {
            if (over || relay != null) {
                return; // ended before, or it is the relay's to report
            }
            report.failed(code, error);
            Resets.reset(caller);
            if (pendingDial != null) {
                pendingDial.cancel(false);
            }
            leave();
        }

        private void bug(Throwable cause) {
            report.bug(cause);
            Resets.reset(caller);
            if (pendingDial != null) {
                pendingDial.cancel(false);
            }
            leave();
        }

        private void leave() {
            if (!over) {
                over = true;
                services.registry().remove(open);
                if (relay != null) {
                    relay.ended();
                }
                pod.release();
            }
        }
    }
}
