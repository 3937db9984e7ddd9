package io.loam.agent.dns;

import io.loam.agent.pod.LocalPod;
import io.loam.protocol.linux.Conntrack;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Whom the programs of a pod asked by the datagrams that the kernel brought here. The pod's own resolvers, in
/// other words, which only its programs know: the agent does not see the pod's files. Belongs to one event
/// loop.
///
/// Where the kernel cannot tell, the resolvers of the configuration are asked instead, and the kernel again after a
/// while: want of descriptors or of memory passes. Logged once until it tells again.
final class OriginalDestinations {
    private static final Logger log = LoggerFactory.getLogger(OriginalDestinations.class);

    private static final long PAUSE_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final LocalPod pod;
    private final InetSocketAddress listening;
    private final Opener opener;
    private final LongSupplier nanoTime;
    private @Nullable Conntrack conntrack;
    private boolean closed;

    /// The last question failed, at this time.
    private boolean failing;

    private long failedNanos;

    /// @param listening where the datagrams arrive
    OriginalDestinations(LocalPod pod, InetSocketAddress listening) {
        this(pod, listening, pod.sockets()::conntrack, System::nanoTime);
    }

    /// @param nanoTime monotonic clock
    OriginalDestinations(LocalPod pod, InetSocketAddress listening, Opener opener, LongSupplier nanoTime) {
        this.pod = pod;
        this.listening = listening;
        this.opener = opener;
        this.nanoTime = nanoTime;
    }

    /// Opens the way to the kernel.
    interface Opener {
        Conntrack open() throws IOException;
    }

    /// @return null if it is not known
    @Nullable
    InetSocketAddress of(InetSocketAddress sender) {
        if (closed || (failing && nanoTime.getAsLong() - failedNanos < PAUSE_NANOS)) {
            return null;
        }
        try {
            if (conntrack == null) {
                conntrack = opener.open();
            }
            var destination = conntrack.originalDestination(sender, listening);
            failing = false;
            return destination.orElse(null);
        } catch (IOException e) {
            if (!failing) {
                log.warn(
                        "cannot see whom the pod's programs ask, queries go to the configured resolvers pod={} reason={}",
                        pod,
                        e.getMessage());
            }
            failing = true;
            failedNanos = nanoTime.getAsLong();
            release();
            return null;
        }
    }

    /// Nothing is asked any more.
    void close() {
        closed = true;
        release();
    }

    private void release() {
        if (conntrack != null) {
            conntrack.close();
            conntrack = null;
        }
    }
}
