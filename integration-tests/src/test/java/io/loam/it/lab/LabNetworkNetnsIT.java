package io.loam.it.lab;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.lab.command.Command;
import io.loam.lab.network.LabName;
import io.loam.lab.network.LabNetwork;
import io.loam.lab.network.NodeSlot;
import io.loam.lab.network.PodLink;
import io.loam.lab.remains.LabRemains;
import io.loam.protocol.linux.Netns;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketTimeoutException;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The network alone, without processes.
final class LabNetworkNetnsIT {
    private final LabName lab = new LabName("net" + ProcessHandle.current().pid() % 100_000);
    private final LabNetwork network = new LabNetwork(lab);

    @BeforeEach
    void createFabric() throws IOException {
        network.createFabric();
    }

    @AfterEach
    void remove() throws IOException {
        LabRemains.of(lab).remove();
    }

    @Test
    void podsOfDifferentNodesReachEachOtherInBothFamilies() throws IOException {
        var one = attached(network.addNode("one"), "a", 2);
        var two = attached(network.addNode("two"), "b", 2);

        for (var ip : two.ips()) {
            assertThat(ping(one.netns(), ip)).as("%s", ip).isZero();
        }
    }

    @Test
    void podsOfOneNodeReachEachOther() throws IOException {
        var node = network.addNode("one");
        var a = attached(node, "a", 2);
        var b = attached(node, "b", 3);

        for (var ip : b.ips()) {
            assertThat(ping(a.netns(), ip)).as("%s", ip).isZero();
        }
    }

    @Test
    void podsReachTheOutsideAndTheDnsServersAddress() throws IOException {
        var pod = attached(network.addNode("one"), "a", 2);

        for (var ip : List.of("203.0.113.1", "2001:db8:113::1", "10.96.0.10", "fd00:96::a", "172.20.0.1")) {
            assertThat(ping(pod.netns(), InetAddress.getByName(ip))).as(ip).isZero();
        }
    }

    @Test
    void aPodMayAskForAnAddressOutsideOfItsNodesRange() throws IOException {
        var a = attached(network.addNode("one"), "a", 2);
        var b = new PodLink(
                network.addNode("two"),
                lab.podNetns("default", "b"),
                "podb",
                List.of(InetAddress.getByName("10.244.77.7"), InetAddress.getByName("fd00:244:77::7")));
        network.attach(b);

        for (var ip : b.ips()) {
            assertThat(ping(a.netns(), ip)).as("%s", ip).isZero();
        }
    }

    @Test
    void aCutLinkLosesPacketsUntilItIsHealed() throws IOException {
        var one = attached(network.addNode("one"), "a", 2);
        var two = attached(network.addNode("two"), "b", 2);

        network.cut("two");
        assertThat(ping(one.netns(), two.ips().getFirst())).isNotZero();

        network.heal("two");
        for (var ip : two.ips()) {
            // The kernel finds the neighbours again first, which takes as long as its probes do.
            awaitPing(one.netns(), ip);
        }
    }

    /// Kernels tell it once a second as they come; who is not told finds out with its fourth SYN, 7 s later.
    @Test
    void whoDialsAnAddressWithoutAPodIsToldSoEachTime() throws IOException {
        var one = attached(network.addNode("one"), "a", 2);
        var two = network.addNode("two");

        try (var inside = Netns.open(LabName.netnsPath(one.netns()))) {
            for (var nobody : List.of(two.podIpv4(99), two.podIpv6(99))) {
                for (int dial = 1; dial <= 8; dial++) {
                    try (var channel = inside.call(SocketChannel::open)) {
                        var target = new InetSocketAddress(nobody, 15008);
                        assertThatThrownBy(() -> channel.socket().connect(target, 6_000))
                                .as("dial %d to %s", dial, nobody)
                                .isInstanceOf(IOException.class)
                                .isNotInstanceOf(SocketTimeoutException.class);
                    }
                }
            }
        }
    }

    @Test
    void attachingAgainReplacesWhatIsThere() throws IOException {
        var node = network.addNode("one");
        var a = attached(node, "a", 2);
        var b = attached(node, "b", 3);

        network.attach(b);

        assertThat(ping(a.netns(), b.ips().getFirst())).isZero();
    }

    @Test
    void aPodTakesLessThanFiftyMilliseconds() throws IOException {
        var node = network.addNode("one");
        attached(node, "warm", 2);

        // The fastest of ten: what else the machine does makes some slow, what we do makes all slow.
        var least = Duration.ofDays(1);
        for (int i = 3; i < 13; i++) {
            long start = System.nanoTime();
            attached(node, "p" + i, i);
            var took = Duration.ofNanos(System.nanoTime() - start);
            least = took.compareTo(least) < 0 ? took : least;
        }
        System.out.println("pod network: " + least.toMillis() + " ms");

        assertThat(least).isLessThan(Duration.ofMillis(50));
    }

    private PodLink attached(NodeSlot node, String pod, int number) throws IOException {
        var link = new PodLink(
                node, lab.podNetns("default", pod), "pod" + pod, List.of(node.podIpv4(number), node.podIpv6(number)));
        network.attach(link);
        return link;
    }

    private static void awaitPing(String netns, InetAddress ip) throws IOException {
        long deadline = System.nanoTime() + Duration.ofSeconds(20).toNanos();
        int outcome;
        do {
            outcome = ping(netns, ip);
        } while (outcome != 0 && System.nanoTime() - deadline < 0);
        assertThat(outcome).as("%s within 20 s", ip).isZero();
    }

    /// A TCP connection or a refusal by the other end: either proves the way there and back. There is no ping in a
    /// minimal Debian.
    private static int ping(String netns, InetAddress ip) throws IOException {
        var script = """
                import errno, socket, sys
                s = socket.socket(socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET)
                s.settimeout(2)
                sys.exit(0 if s.connect_ex((sys.argv[1], 9)) == errno.ECONNREFUSED else 1)
                """;
        return Command.result(
                        List.of(
                                "nsenter",
                                "--net=" + LabName.netnsPath(netns),
                                "/usr/bin/python3",
                                "-c",
                                script,
                                ip.getHostAddress()),
                        "",
                        Duration.ofSeconds(10))
                .exitCode();
    }
}
