package io.loam.agent.connections;

import io.loam.agent.pod.AddressLookup;
import io.loam.agent.pod.Dialer;
import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.WorkloadWait;
import io.loam.model.failure.ErrorCode;
import io.loam.model.policy.ConnectionAttributes;
import io.loam.model.workload.Workload;
import io.loam.protocol.hbone.PendingConnect;
import io.loam.runtime.relay.RelayEnd;
import io.loam.runtime.relay.RelayListener;
import io.loam.runtime.relay.RunningRelay;
import io.netty.channel.ChannelFuture;
import io.netty.channel.EventLoop;
import io.netty.channel.socket.DuplexChannel;
import java.io.IOException;
import java.net.ConnectException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// One connection of a pod, whichever way it came: from its registration, which precedes the first check, over what
/// it waits for and what it dials, to the relay and its report. The three ways in (outbound, plaintext, stream of a
/// tunnel) are sequences of these steps and say only what differs.
///
/// It ends once, by the first of {@link #fail}, {@link #bug}, the end of the relay, and a cut by the registry; what is
/// under way then is given up, the caller told, and the pod released. A bug in a step ends this connection and nothing
/// else (hazards, rule 7).
///
/// Belongs to the connection's event loop, but for {@link #cut}. Compared by identity.
public final class OpenConnection implements RelayListener {
    private final ConnectionRegistry registry;
    private final LocalPod pod;
    private final ConnectionReport report;
    private final @Nullable ConnectionAttributes attributes;
    private final EventLoop loop;
    private final Caller caller;
    private volatile @Nullable InetSocketAddress leavingFor;
    private AddressLookup.@Nullable Use destination;
    private @Nullable Runnable pendingLookup;
    private @Nullable PendingConnect pendingStream;
    private @Nullable ChannelFuture pendingDial;
    private @Nullable RunningRelay relay;
    private RelaySweep.@Nullable Entry publishing;

    /// Why the relay was broken off, if it was.
    private @Nullable ErrorCode abortCode;

    /// Sockets it was given by the limits.
    private int sockets;

    private boolean dialling;
    private boolean over;

    /// Whoever wants the connection.
    public interface Caller {
        /// There will be no connection. May come when the caller has gone.
        ///
        /// @param reason for logs
        void refuse(ErrorCode code, String reason);

        /// Whether the caller's side is a socket of its own, so that what is dialled is the second one. A stream
        /// shares its tunnel's.
        boolean holdsSocket();

        /// The relay takes over from here on.
        void handOver();
    }

    /// @param attributes what policies look at; null for outbound connections, which no policy of this side governs
    public OpenConnection(
            ConnectionRegistry registry,
            LocalPod pod,
            ConnectionReport report,
            @Nullable ConnectionAttributes attributes,
            EventLoop loop,
            Caller caller) {
        this.registry = registry;
        this.pod = pod;
        this.report = report;
        this.attributes = attributes;
        this.loop = loop;
        this.caller = caller;
    }

    public LocalPod pod() {
        return pod;
    }

    public ConnectionReport report() {
        return report;
    }

    public @Nullable ConnectionAttributes attributes() {
        return attributes;
    }

    /// From here on the registry looks whether the pod may still go there.
    ///
    /// @param originalDestination where the pod's program wants to go; for outbound connections, before it is
    ///     decided whether it may
    public void leavesFor(InetSocketAddress originalDestination) {
        leavingFor = originalDestination;
    }

    /// Null for inbound connections, and before it is decided. Any thread.
    @Nullable
    InetSocketAddress leavingFor() {
        return leavingFor;
    }

    public EventLoop loop() {
        return loop;
    }

    /// Bytes that the pod's own application has sent so far. Any thread; what was relayed a moment ago may be missing.
    public long bytesSent() {
        var joined = relay;
        return joined == null ? 0 : joined.bytesFromApplication();
    }

    /// Bytes that the pod's own application was sent so far. Any thread, as {@link #bytesSent}.
    public long bytesReceived() {
        var joined = relay;
        return joined == null ? 0 : joined.bytesToApplication();
    }

    /// Whether both sides are there. Any thread, as {@link #bytesSent}.
    public boolean isEstablished() {
        return relay != null;
    }

    /// Whether it has ended: what was waited for comes too late.
    public boolean isOver() {
        return over;
    }

    // --- the steps ---

    /// Registers the connection and runs its first step, unless the pod or the node holds all it may.
    public void begin(Runnable firstStep) {
        pod.retain();
        registry.add(this); // before the first check, see ConnectionRegistry
        guarded(() -> {
            if (takeSocket()) {
                firstStep.run();
            }
        });
    }

    private boolean takeSocket() {
        if (!registry.limits().takeSocket(pod)) {
            fail(ErrorCode.OVERLOADED, "too many open connections");
            return false;
        }
        sockets++;
        return true;
    }

    /// Runs a step, unless the connection has ended meanwhile.
    public void guarded(Runnable step) {
        if (over) {
            return;
        }
        try {
            step.run();
        } catch (RuntimeException | Error e) {
            bug(e);
        }
    }

    /// Goes on when the control plane has described the pod, and fails when it does not in time.
    public void awaitWorkload(WorkloadWait workloads, Consumer<Workload> next) {
        workloads.await(pod, loop, known -> onWorkload(known, next));
    }

    private void onWorkload(@Nullable Workload known, Consumer<Workload> next) {
        if (over) {
            return;
        }
        try {
            if (known == null) {
                fail(ErrorCode.UNKNOWN_SOURCE, "failed to fetch information about local workload " + pod);
            } else {
                next.accept(known);
            }
        } catch (RuntimeException | Error e) {
            bug(e);
        }
    }

    /// Goes on when the mesh says what there is to say about a destination, and fails when it does not in
    /// time. The address is kept in the mesh until this connection ends. Not for agents that know all of it.
    public void awaitDestination(AddressLookup addresses, InetAddress address, Runnable next) {
        var use = addresses.use(pod, address);
        destination = use;
        if (use == null) {
            fail(ErrorCode.OVERLOADED, "too many addresses asked of the control plane");
            return;
        }
        use.await(
                loop,
                missing -> guarded(() -> {
                    if (missing == null) {
                        next.run();
                    } else {
                        fail(ErrorCode.UNKNOWN_DESTINATION, missing);
                    }
                }));
    }

    /// Something was looked up, and somebody is called with the answer, through {@link #guarded}.
    ///
    /// @param giveUp run should this connection end before the answer; does nothing after it
    public void awaitLookup(Runnable giveUp) {
        pendingLookup = giveUp;
    }

    /// A stream was asked for. It is given up should this connection end before the answer.
    public void awaitStream(PendingConnect asked) {
        pendingStream = asked;
    }

    /// Goes on when the target has taken the connection, and fails when it does not.
    ///
    /// @param source see {@link Dialer#dial}
    public void dial(
            Dialer dialer, InetSocketAddress target, @Nullable InetAddress source, Consumer<DuplexChannel> connected) {
        if (caller.holdsSocket() && !takeSocket()) {
            return;
        }
        if (!registry.limits().takeDial(pod)) {
            fail(ErrorCode.OVERLOADED, "too many dials in progress");
            return;
        }
        dialling = true;
        try {
            var dial = dialer.dial(pod, loop, target, source);
            pendingDial = dial;
            var _ = dial.addListener(_ -> onDialled(dial, connected));
        } catch (IOException e) {
            fail(ErrorCode.DIAL_FAILED, "no socket: " + e.getMessage());
        }
    }

    private void endDial() {
        if (dialling) {
            dialling = false;
            registry.limits().giveDial(pod);
        }
    }

    private void onDialled(ChannelFuture dialled, Consumer<DuplexChannel> connected) {
        pendingDial = null;
        endDial();
        if (over) {
            var _ = dialled.channel().close();
            return;
        }
        try {
            if (dialled.isSuccess()) {
                connected.accept((DuplexChannel) dialled.channel());
            } else if (isOutOfSources(dialled.cause())) {
                registry.limits().outOfSources(pod);
                fail(
                        ErrorCode.OVERLOADED,
                        "no source address and port left for this destination (expected: fewer connections to it at a"
                                + " time, or a wider net.ipv4.ip_local_port_range in the pod): "
                                + dialled.cause().getMessage());
            } else {
                fail(ErrorCode.DIAL_FAILED, String.valueOf(dialled.cause().getMessage()));
            }
        } catch (RuntimeException | Error e) {
            bug(e);
            var _ = dialled.channel().close();
        }
    }

    /// EADDRNOTAVAIL of connect(2): every port is taken that goes with this source and destination (hazard
    /// P12). Netty has no type of its own for it, only the number in the text.
    private static boolean isOutOfSources(Throwable cause) {
        return cause instanceof ConnectException
                && String.valueOf(cause.getMessage()).contains("error(-99)");
    }

    /// Both sides are there. The relay is started after this call, and reports to this object.
    public void relay(RunningRelay joined) {
        pendingLookup = null;
        pendingStream = null;
        relay = joined;
        report.opened();
        publishing = registry.sweepOf(loop).add(this::publish);
        caller.handOver();
    }

    private void publish() {
        if (relay != null) {
            report.progress(relay.bytesFromApplication(), relay.bytesToApplication());
        }
    }

    // --- the ends ---

    /// The connection is not made. Does nothing once it has ended, or when it is the relay's to report.
    public void fail(ErrorCode code, String error) {
        if (over || relay != null) {
            return;
        }
        try {
            report.failed(code, error);
        } finally {
            giveUp(code, error);
        }
    }

    /// An error of our own.
    public void bug(Throwable cause) {
        try {
            report.bug(cause);
        } finally {
            giveUp(ErrorCode.BUG, String.valueOf(cause));
        }
    }

    private void giveUp(ErrorCode code, String reason) {
        if (over) {
            return;
        }
        leave();
        if (pendingLookup != null) {
            pendingLookup.run();
        }
        if (pendingStream != null) {
            pendingStream.cancel();
        }
        if (pendingDial != null) {
            pendingDial.cancel(false);
        }
        if (relay != null) {
            relay.abort(reason);
        }
        caller.refuse(code, reason);
    }

    @Override
    public void onRelayEnd(RelayEnd end, long bytesFromApplication, long bytesToApplication) {
        try {
            report.finished(end, abortCode, bytesFromApplication, bytesToApplication);
        } finally {
            leave();
        }
    }

    private void leave() {
        if (!over) {
            over = true;
            if (publishing != null) {
                publishing.remove();
            }
            endDial();
            for (; sockets > 0; sockets--) {
                registry.limits().giveSocket(pod);
            }
            registry.remove(this);
            if (destination != null) {
                destination.release();
            }
            pod.release();
        }
    }

    /// Ends the connection, whatever state it is in: policy change or drain. Any thread.
    void cut(ErrorCode code, String reason) {
        loop.execute(() -> guarded(() -> cutNow(code, reason)));
    }

    private void cutNow(ErrorCode code, String reason) {
        if (relay != null) {
            abortCode = code;
            relay.abort(reason);
        } else {
            fail(code, reason);
        }
    }
}
