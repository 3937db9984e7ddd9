package io.loam.lab.services;

import io.loam.config.object.TransportProtocol;
import io.loam.lab.command.Command;
import io.loam.lab.command.CommandFailedException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Keeps the service table of one node's network namespace in step. Blocking; calls from several threads are put in
/// order.
public final class KubeProxy {
    private static final Duration NFT_TIMEOUT = Duration.ofSeconds(30);
    /// `conntrack -D` ends with 1 when nothing was there to delete.
    private static final int NOTHING_DELETED = 1;

    /// What kube-proxy sets as well (`--conntrack-tcp-timeout-established` and `-close-wait`), in seconds. The kernel
    /// forgets the translation of a half-closed connection after a minute of silence otherwise.
    private static final String SILENT_CONNECTIONS = """
            cd /proc/sys/net/netfilter
            echo 86400 >nf_conntrack_tcp_timeout_established
            echo 3600 >nf_conntrack_tcp_timeout_close_wait
            """;

    private final Path netns;
    private List<VirtualPort> applied = List.of();
    private @Nullable String appliedScript;

    /// @param netns a file that stands for the namespace, for example below `/run/netns`
    public KubeProxy(Path netns) {
        this.netns = netns;
    }

    /// Makes `ports` what the kernel balances, all at once; does nothing when it already is.
    ///
    /// @param ports from {@link NodeServices#of}
    /// @return whether anything changed
    /// @throws IOException if nft refuses; what was in force before still is
    public synchronized boolean sync(List<VirtualPort> ports) throws IOException {
        var script = ServiceRules.render(ports);
        if (script.equals(appliedScript)) {
            return false;
        }
        var result = inNamespace(List.of("nft", "-f", "-"), script);
        if (result.exitCode() != 0) {
            throw failed("nft -f -", result);
        }
        if (appliedScript == null) { // now, because the first rules bring the settings with them
            rememberSilentConnections();
        }
        var before = applied;
        applied = List.copyOf(ports);
        appliedScript = script;
        forgetDatagramFlows(before, applied);
        return true;
    }

    private void rememberSilentConnections() throws IOException {
        var result = inNamespace(List.of("/bin/sh", "-e"), SILENT_CONNECTIONS);
        if (result.exitCode() != 0) {
            throw failed("connection tracking settings", result);
        }
    }

    /// A UDP flow has no end: the kernel would translate it to an endpoint that is gone for as long as datagrams come.
    private void forgetDatagramFlows(List<VirtualPort> before, List<VirtualPort> now) throws IOException {
        var kept = datagramEndpoints(now);
        for (var entry : datagramEndpoints(before).entrySet()) {
            var gone = new HashSet<>(entry.getValue());
            gone.removeAll(kept.getOrDefault(entry.getKey(), Set.of()));
            for (var endpoint : gone) {
                var virtual = entry.getKey();
                var command = List.of(
                        "conntrack",
                        "-D",
                        "-f",
                        virtual.getAddress().getAddress().length == 4 ? "ipv4" : "ipv6",
                        "-p",
                        "udp",
                        "--orig-dst",
                        virtual.getAddress().getHostAddress(),
                        "--orig-port-dst",
                        Integer.toString(virtual.getPort()),
                        "--reply-src",
                        endpoint.getAddress().getHostAddress());
                var result = inNamespace(command, "");
                if (result.exitCode() != 0 && result.exitCode() != NOTHING_DELETED) {
                    throw failed("conntrack -D", result);
                }
            }
        }
    }

    private static Map<InetSocketAddress, Set<InetSocketAddress>> datagramEndpoints(List<VirtualPort> ports) {
        var endpoints = new HashMap<InetSocketAddress, Set<InetSocketAddress>>();
        for (var port : ports) {
            if (port.protocol() == TransportProtocol.UDP) {
                endpoints.put(new InetSocketAddress(port.address(), port.port()), Set.copyOf(port.endpoints()));
            }
        }
        return endpoints;
    }

    private Command.Result inNamespace(List<String> program, String input) throws IOException {
        var command = new ArrayList<>(List.of("nsenter", "--net=" + netns));
        command.addAll(program);
        return Command.result(command, input, NFT_TIMEOUT);
    }

    private CommandFailedException failed(String program, Command.Result result) {
        return new CommandFailedException(program + " in " + netns, result.exitCode(), result.output());
    }
}
