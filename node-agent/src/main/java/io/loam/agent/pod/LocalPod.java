package io.loam.agent.pod;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.workload.Workload;
import io.loam.protocol.header.Baggage;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import io.loam.runtime.config.SocketConfig;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// A pod of this node that is in the mesh. Its name, namespace and account come from the privileged half: who a
/// connection belongs to follows from the namespace that accepted it, never from an address (hazards I12, I13).
///
/// Holds the pod's namespace open as long as anybody may still open a socket in it. Thread-safe.
public final class LocalPod {
    private static final Path INTERFACES = Path.of("/proc/thread-self/net/dev");

    /// Of the namespace of the thread that looks.
    private static final Path IPV6_OFF_ON_LOOPBACK = Path.of("/proc/sys/net/ipv6/conf/lo/disable_ipv6");

    private final String uid;
    private final WorkloadInfo info;
    private final Netns netns;
    private final PodSockets sockets;

    private volatile @Nullable Described described;

    /// The listeners are the first holder.
    private final AtomicInteger holders = new AtomicInteger(1);

    private final Quota heldSockets = new Quota();
    private final Quota heldDials = new Quota();

    /// @param netns passes into the ownership of this object
    public LocalPod(String uid, WorkloadInfo info, Netns netns, SocketConfig config) {
        this.uid = uid;
        this.info = info;
        this.netns = netns;
        this.sockets = new PodSockets(netns, config);
    }

    /// Kubernetes pod UID.
    public String uid() {
        return uid;
    }

    public WorkloadInfo info() {
        return info;
    }

    public long netnsInode() {
        return netns.inode();
    }

    /// @throws IOException if one of them is not a listener of this pod
    public void requireListening(HeldListeners listeners) throws IOException {
        listeners.requireListening(netns);
    }

    public PodSockets sockets() {
        return sockets;
    }

    /// What the mesh says about this pod, or null while the control plane has not told us.
    public @Nullable Workload workload(MeshSnapshot mesh) {
        return mesh.localWorkload(info.name(), info.namespace(), info.serviceAccount());
    }

    /// What tunnels say about this pod (header `baggage`), rendered once for each state of it.
    ///
    /// @param workload this pod in the mesh of the moment
    @SuppressWarnings("ReferenceEquality") // a workload that changed is another object
    public String baggage(Workload workload) {
        var known = described;
        if (known == null || known.workload != workload) {
            known = new Described(workload, Baggage.of(workload).header());
            described = known;
        }
        return known.baggage;
    }

    private record Described(Workload workload, String baggage) {}

    /// Sockets of this pod's connections and tunnels.
    public Quota heldSockets() {
        return heldSockets;
    }

    /// Dials in progress for this pod's connections.
    public Quota heldDials() {
        return heldDials;
    }

    /// Announces a connection that may open sockets.
    public void retain() {
        holders.incrementAndGet();
    }

    /// The counterpart of {@link #retain}; the last one closes the namespace.
    public void release() {
        if (holders.decrementAndGet() == 0) {
            netns.close();
        }
    }

    /// Whether the caller is the only one who still needs the namespace.
    public boolean hasOneHolder() {
        return holders.get() == 1;
    }

    /// Whether the pod has lost its network, as it does when it ends: no packet can come in or go out any more. For
    /// holders, on a platform thread.
    ///
    /// @throws IOException if the namespace cannot be looked into
    public boolean isCutOff() throws IOException {
        return netns.call(() -> {
            // proc_pid_net(5): two lines of headings, then "name: counters" for each interface
            return Files.readAllLines(INTERFACES).stream()
                    .skip(2)
                    .allMatch(line -> line.strip().startsWith("lo:"));
        });
    }

    /// Whether programs in the pod can use `::1`: asked of the pod, which may have IPv6 switched off where its node has
    /// not. On a platform thread.
    ///
    /// @throws IOException if the namespace cannot be looked into
    public boolean hasIpv6Loopback() throws IOException {
        return netns.call(() -> Files.exists(IPV6_OFF_ON_LOOPBACK)
                && !Files.readString(IPV6_OFF_ON_LOOPBACK).strip().equals("1"));
    }

    @Override
    public String toString() {
        return info.namespace() + "/" + info.name() + " uid=" + uid;
    }
}
