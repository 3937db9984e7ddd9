package io.loam.lab.network;

import io.loam.lab.command.Command;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// The network of one lab. Every method may be called again after it failed half-way or after the lab's process was
/// killed. Blocking; nodes come and go on one thread, pods may be attached and detached on any.
///
/// Each change is one shell with a few `ip -batch`: an `ip` or `nsenter` costs 1 to 3 ms, a pod less than 50.
public final class LabNetwork {
    /// Of both ends of every link, as Ethernet has it.
    private static final int MTU = 1500;

    private final LabName lab;
    private final Map<String, NodeSlot> nodes = new ConcurrentHashMap<>();

    public LabNetwork(LabName lab) {
        this.lab = lab;
    }

    /// The namespace everything is reached through, anew.
    public void createFabric() throws IOException {
        var fabric = lab.fabricNetns();
        Command.script(deleted(fabric) + """
                ip netns add %1$s
                %2$s
                ip -n %1$s -batch - <<'END'
                link set lo up
                link add br0 type bridge stp_state 0 forward_delay 0 mcast_snooping 0
                link set br0 mtu %3$d up
                address add 172.20.0.1/24 dev br0
                address add fd00:20::1/64 dev br0 nodad
                address add 10.96.0.10/32 dev lo
                address add fd00:96::a/128 dev lo nodad
                address add 203.0.113.1/32 dev lo
                address add 2001:db8:113::1/128 dev lo nodad
                route add unreachable 10.96.0.0/16
                route add unreachable fd00:96::/112
                route add unreachable 10.244.0.0/16
                route add unreachable fd00:244::/32
                END
                """.formatted(fabric, settings(fabric, true), MTU));
    }

    /// The node's namespace with its link to the fabric; it can be reached from all others when this returns.
    public NodeSlot addNode(String name) throws IOException {
        var known = nodes.get(name);
        if (known != null) {
            return known;
        }
        var node = new NodeSlot(name, freeIndex());
        var netns = lab.nodeNetns(name);
        Command.script(deleted(netns)
                + """
                ip netns add %1$s
                %2$s
                ip -n %3$s link delete %4$s 2>/dev/null || true
                ip -n %3$s link add %4$s mtu %5$d type veth peer name eth0 mtu %5$d netns %1$s
                ip -n %3$s -batch - <<'END'
                link set %4$s addrgenmode none
                link set %4$s master br0 up
                END
                ip -n %1$s -batch - <<'END'
                link set lo up
                link set eth0 up
                address add %6$s/24 dev eth0
                address add %7$s/64 dev eth0 nodad
                route add default via 172.20.0.1 src %6$s
                route add default via fd00:20::1 src %7$s
                route add unreachable %8$s metric 4096
                route add unreachable %9$s metric 4096
                END
                """.formatted(
                                netns,
                                settings(netns, true),
                                lab.fabricNetns(),
                                node.fabricPort(),
                                MTU,
                                text(node.ipv4()),
                                text(node.ipv6()),
                                node.podRangeIpv4(),
                                node.podRangeIpv6()));
        var script = new StringBuilder();
        script.append(batch(lab.fabricNetns(), routesTo(node)));
        for (var other : nodes.values()) {
            script.append(batch(lab.nodeNetns(other.name()), routesTo(node)));
            script.append(batch(netns, routesTo(other)));
        }
        Command.script(script.toString());
        nodes.put(name, node);
        return node;
    }

    /// The node must have no pods any more.
    public void removeNode(String name) throws IOException {
        var node = nodes.remove(name);
        if (node == null) {
            return;
        }
        var script = new StringBuilder(deleted(lab.nodeNetns(name)));
        var routes = "route delete " + node.podRangeIpv4() + "\nroute delete " + node.podRangeIpv6() + "\n";
        script.append(tolerantBatch(lab.fabricNetns(), routes));
        for (var other : nodes.values()) {
            script.append(tolerantBatch(lab.nodeNetns(other.name()), routes));
        }
        Command.script(script.toString());
    }

    public Optional<NodeSlot> node(String name) {
        return Optional.ofNullable(nodes.get(name));
    }

    public Collection<NodeSlot> nodes() {
        return nodes.values();
    }

    /// The pod's namespace with its addresses, reachable from everywhere when this returns.
    public void attach(PodLink pod) throws IOException {
        var netns = pod.netns();
        var node = lab.nodeNetns(pod.node().name());
        var inPod = new StringBuilder();
        var onNode = new StringBuilder();
        for (var ip : pod.ips()) {
            var address = text(ip);
            if (ip instanceof Inet6Address) {
                inPod.append("address add %s/128 dev eth0 nodad\n".formatted(address));
                inPod.append(
                        "route add default via %s dev eth0 src %s\n".formatted(LabAddresses.POD_GATEWAY_IPV6, address));
                onNode.append("route replace %s/128 dev %s src %s\n"
                        .formatted(address, pod.link(), text(pod.node().ipv6())));
            } else {
                inPod.append("address add %s/32 dev eth0\n".formatted(address));
                inPod.append("route add default via %s dev eth0 onlink src %s\n"
                        .formatted(LabAddresses.POD_GATEWAY_IPV4, address));
                onNode.append("route replace %s/32 dev %s src %s\n"
                        .formatted(address, pod.link(), text(pod.node().ipv4())));
            }
        }
        var script = new StringBuilder(deleted(netns)
                + """
                trap '[ $? = 0 ] || ip netns delete %1$s' EXIT
                ip netns add %1$s
                %2$s
                ip -n %3$s link delete %4$s 2>/dev/null || true
                ip -n %3$s link add %4$s mtu %5$d type veth peer name eth0 mtu %5$d netns %1$s
                ip -n %1$s -batch - <<'END'
                link set lo up
                link set eth0 up
                %6$sEND
                ip -n %3$s -batch - <<'END'
                link set %4$s addrgenmode none
                link set %4$s up
                address add %7$s/32 dev %4$s scope link
                address add %8$s/64 dev %4$s nodad
                %9$sEND
                """.formatted(
                                netns,
                                settings(netns, false),
                                node,
                                pod.link(),
                                MTU,
                                inPod,
                                LabAddresses.POD_GATEWAY_IPV4,
                                LabAddresses.POD_GATEWAY_IPV6,
                                onNode));
        for (var ip : pod.ips()) {
            if (!isInRange(pod.node(), ip)) {
                var route = "route replace " + text(ip) + " via " + text(gateway(pod.node(), ip)) + "\n";
                script.append(batch(lab.fabricNetns(), route));
                for (var other : nodes.values()) {
                    if (!other.equals(pod.node())) {
                        script.append(batch(lab.nodeNetns(other.name()), route));
                    }
                }
            }
        }
        Command.script(script.toString());
    }

    /// Deletes the pod's namespace, and its link with it. Its processes must have ended: they would keep it alive.
    public void detach(PodLink pod) throws IOException {
        var script = new StringBuilder(deleted(pod.netns()));
        // The kernel destroys a namespace some time later; the link must not hold the pod's addresses until then.
        script.append("ip -n %s link delete %s 2>/dev/null || true\n"
                .formatted(lab.nodeNetns(pod.node().name()), pod.link()));
        for (var ip : pod.ips()) {
            if (!isInRange(pod.node(), ip)) {
                var route = "route delete " + text(ip) + " via " + text(gateway(pod.node(), ip)) + "\n";
                script.append(tolerantBatch(lab.fabricNetns(), route));
                for (var other : nodes.values()) {
                    script.append(tolerantBatch(lab.nodeNetns(other.name()), route));
                }
            }
        }
        Command.script(script.toString());
    }

    /// Takes the carrier from a node's uplink: packets are lost both ways, addresses and routes stay.
    public void cut(String node) throws IOException {
        setUplink(node, "down");
    }

    /// Undoes {@link #cut}.
    public void heal(String node) throws IOException {
        setUplink(node, "up");
    }

    private void setUplink(String name, String state) throws IOException {
        var node = nodes.get(name);
        if (node == null) {
            throw new IllegalArgumentException("node: " + name + " (expected: one of " + nodes.keySet() + ")");
        }
        Command.run(List.of("ip", "-n", lab.fabricNetns(), "link", "set", node.fabricPort(), state));
    }

    private int freeIndex() {
        var used = nodes.values().stream().mapToInt(NodeSlot::index).boxed().toList();
        int index = 1;
        while (used.contains(index)) {
            index++;
        }
        return index;
    }

    private static String routesTo(NodeSlot node) {
        return "route replace %s via %s\nroute replace %s via %s\n"
                .formatted(node.podRangeIpv4(), text(node.ipv4()), node.podRangeIpv6(), text(node.ipv6()));
    }

    private static InetAddress gateway(NodeSlot node, InetAddress ip) {
        return ip instanceof Inet6Address ? node.ipv6() : node.ipv4();
    }

    private static boolean isInRange(NodeSlot node, InetAddress ip) {
        var bytes = ip.getAddress();
        var first = node.podIpv4(0).getAddress();
        var length = 3;
        if (ip instanceof Inet6Address) {
            first = node.podIpv6(0).getAddress();
            length = 8;
        }
        return Arrays.equals(bytes, 0, length, first, 0, length);
    }

    private static String deleted(String netns) {
        return Files.exists(LabName.netnsPath(netns)) ? "ip netns delete " + netns + "\n" : "";
    }

    private static String batch(String netns, String lines) {
        return "ip -n " + netns + " -batch - <<'END'\n" + lines + "END\n";
    }

    /// Goes on after lines that fail: what is to be deleted may be gone already.
    private static String tolerantBatch(String netns, String lines) {
        return "ip -n " + netns + " -force -batch - 2>/dev/null <<'END' || true\n" + lines + "END\n";
    }

    /// Before the first link is made, so that all links take them over.
    ///
    /// Reverse-path filtering is off because a node agent opens connections in a pod's namespace with the addresses
    /// of others; duplicate address detection, because it keeps an address from being used for a second.
    /// Congestion control is the same on every machine: a namespace inherits the host's, and one that paces (BBR)
    /// doubles what a byte costs on links that have no bottleneck. Reno is what every namespace may choose.
    ///
    /// Who forwards says so each time when there is no way to an address, and not once a second as kernels do by
    /// default: the connection that is not told sends its SYN again after 1, 3 and 7 s.
    private static String settings(String netns, boolean forwarding) {
        return """
                nsenter --net=%s /bin/sh -e <<'END'
                cd /proc/sys/net
                echo 0 >ipv4/conf/all/rp_filter
                echo 0 >ipv4/conf/default/rp_filter
                echo reno >ipv4/tcp_congestion_control
                echo 0 >ipv6/conf/default/accept_dad
                echo 0 >ipv6/conf/default/accept_ra
                %sEND
                """.formatted(LabName.netnsPath(netns), forwarding ? """
                        echo 1 >ipv4/ip_forward
                        echo 1 >ipv6/conf/all/forwarding
                        echo 0 >ipv4/conf/all/send_redirects
                        echo 0 >ipv4/conf/default/send_redirects
                        echo 0 >ipv4/icmp_ratelimit
                        echo 0 >ipv6/icmp/ratelimit
                        """ : "");
    }

    private static String text(InetAddress ip) {
        return ip.getHostAddress();
    }
}
