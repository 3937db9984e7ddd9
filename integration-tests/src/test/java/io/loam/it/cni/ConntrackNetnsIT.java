package io.loam.it.cni;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.cni.rules.PodRedirection;
import io.loam.cni.rules.PodRules;
import io.loam.protocol.linux.Conntrack;
import io.loam.protocol.linux.Netns;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A redirected datagram does not say where it was sent, the kernel's connection tracking does.
class ConntrackNetnsIT {
    @ParameterizedTest
    @CsvSource({
        "127.0.0.1, " + PodBench.NEIGHBOUR_V4 + ", 203.0.113.7",
        "::1, " + PodBench.NEIGHBOUR_V6 + ", 2001:db8::7"
    })
    void tellsTheOriginalDestinationOfDatagrams(String loopback, String resolver, String other) throws Exception {
        try (var bench = new PodBench();
                var pod = Netns.open(bench.podPath());
                var conntrack = Conntrack.open(pod)) {
            new PodRedirection(bench.insidePod()).apply(new PodRules(true, false, List.of(), true));
            var proxy = bench.inPod(DatagramChannel::open);
            try (proxy;
                    var client = bench.inPod(DatagramChannel::open);
                    var stranger = bench.inPod(DatagramChannel::open)) {
                var listening = new InetSocketAddress(InetAddress.ofLiteral(loopback), 15053);
                proxy.bind(listening);
                proxy.socket().setSoTimeout(5_000);
                for (var target : List.of(resolver, other)) {
                    var sender = target.equals(resolver) ? client : stranger;
                    var destination = new InetSocketAddress(InetAddress.ofLiteral(target), 53);

                    sender.send(ByteBuffer.wrap("query".getBytes(StandardCharsets.US_ASCII)), destination);
                    var from = (InetSocketAddress) proxy.receive(ByteBuffer.allocate(64));

                    assertThat(conntrack.originalDestination(from, listening)).contains(destination);
                }
                var nobody = new InetSocketAddress(InetAddress.ofLiteral(loopback), 9);
                assertThat(conntrack.originalDestination(nobody, listening)).isEmpty();
            }
        }
    }
}
