package io.loam.cni.rules;

import io.loam.cni.command.CommandException;
import io.loam.cni.command.Commands;
import java.net.Inet4Address;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;

/// Lets kubelet's probes through: in the node's namespace its connections to enrolled pods get a source address that
/// the pods' rules recognise (wire reference, 1.7). Only processes with kubelet's user id are rewritten, and what
/// comes from a pod or from another node with that address is dropped, so that nobody else opens a pod with it
/// (hazard C9; not in the reference). Real probes never arrive with it: they get it on their way out.
///
/// Blocking. Safe for all threads; one change at a time.
public final class ProbeRules {
    private static final String TABLE = "istio-ambient-nat";
    private static final String SET_V4 = "istio-inpod-probes-v4";
    private static final String SET_V6 = "istio-inpod-probes-v6";

    private final Commands commands;
    private final int kubeletUid;
    /// Whose address it is now: an address may belong to the next pod before its last owner has left.
    private final Map<InetAddress, String> owners = new HashMap<>();

    /// @param insideNode commands that run in the node's namespace
    /// @param kubeletUid user id of the process that probes, usually 0
    public ProbeRules(Commands insideNode, int kubeletUid) {
        this.commands = insideNode;
        this.kubeletUid = kubeletUid;
    }

    /// Installs table, empty sets and rules in place of whatever a predecessor left.
    public synchronized void install() throws CommandException {
        commands.run(List.of("nft", "-f", "-"), script());
        owners.clear();
    }

    /// @param uid of the pod the addresses belong to
    public synchronized void add(String uid, Collection<InetAddress> addresses) throws CommandException {
        change("add", addresses);
        addresses.forEach(address -> owners.put(address, uid));
    }

    /// Removes those of the addresses that are still this pod's.
    public synchronized void remove(String uid, Collection<InetAddress> addresses) throws CommandException {
        var own = addresses.stream()
                .filter(address -> uid.equals(owners.get(address)))
                .toList();
        change("delete", own);
        own.forEach(owners::remove);
    }

    public synchronized void uninstall() throws CommandException {
        commands.run(List.of("nft", "-f", "-"), "add table inet " + TABLE + "\ndelete table inet " + TABLE + "\n");
        owners.clear();
    }

    String script() {
        return """
                add table inet %1$s
                add set inet %1$s %2$s { type ipv4_addr; }
                add set inet %1$s %3$s { type ipv6_addr; }
                flush set inet %1$s %2$s
                flush set inet %1$s %3$s
                add chain inet %1$s postrouting { type nat hook postrouting priority 100; policy accept; }
                flush chain inet %1$s postrouting
                add rule inet %1$s postrouting meta l4proto tcp meta skuid %4$d ip daddr @%2$s snat ip to %5$s
                add rule inet %1$s postrouting meta l4proto tcp meta skuid %4$d ip6 daddr @%3$s snat ip6 to %6$s
                add chain inet %1$s imitations { type filter hook prerouting priority -300; policy accept; }
                flush chain inet %1$s imitations
                add rule inet %1$s imitations iifname != "lo" ip saddr %5$s drop
                add rule inet %1$s imitations iifname != "lo" ip6 saddr %6$s drop
                """.formatted(TABLE, SET_V4, SET_V6, kubeletUid, PodRules.PROBE_SOURCE_V4, PodRules.PROBE_SOURCE_V6);
    }

    private void change(String verb, Collection<InetAddress> addresses) throws CommandException {
        var lines = new ArrayList<String>();
        lines.add(line(
                verb,
                SET_V4,
                addresses.stream().filter(Inet4Address.class::isInstance).toList()));
        lines.add(line(
                verb,
                SET_V6,
                addresses.stream().filter(a -> !(a instanceof Inet4Address)).toList()));
        var script = String.join("", lines);
        if (!script.isEmpty()) {
            commands.run(List.of("nft", "-f", "-"), script);
        }
    }

    private static String line(String verb, String set, List<InetAddress> addresses) {
        if (addresses.isEmpty()) {
            return "";
        }
        return verb + " element inet " + TABLE + " " + set + " "
                + addresses.stream().map(InetAddress::getHostAddress).collect(Collectors.joining(", ", "{ ", " }"))
                + "\n";
    }
}
