package io.loam.agent.dns;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.pod.TestPods;
import io.loam.protocol.linux.Conntrack;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

/// What the kernel tells is looked at in namespaces; here is what happens when it cannot.
class OriginalDestinationsTest {
    private static final InetSocketAddress PROGRAM = new InetSocketAddress(InetAddress.ofLiteral("10.1.0.1"), 40000);
    private static final InetSocketAddress PROXY = new InetSocketAddress(InetAddress.ofLiteral("127.0.0.1"), 15053);

    private final AtomicInteger asked = new AtomicInteger();
    private final AtomicLong nanos = new AtomicLong(7);

    /// A lack of descriptors at the wrong moment must not part a pod from its own resolvers for good.
    @Test
    void aKernelThatCouldNotTellIsAskedAgainAfterAWhile() {
        var pod = TestPods.pod("client");
        var destinations = new OriginalDestinations(pod, PROXY, this::refuse, nanos::get);

        assertThat(destinations.of(PROGRAM)).isNull();
        assertThat(destinations.of(PROGRAM)).isNull();
        assertThat(asked).as("no system call per query meanwhile").hasValue(1);
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(10));
        assertThat(destinations.of(PROGRAM)).isNull();
        assertThat(asked).hasValue(2);

        destinations.close();
        nanos.addAndGet(TimeUnit.SECONDS.toNanos(10));
        assertThat(destinations.of(PROGRAM)).isNull();
        assertThat(asked).hasValue(2);
        pod.release();
    }

    private Conntrack refuse() throws IOException {
        asked.incrementAndGet();
        throw new IOException("Too many open files");
    }
}
