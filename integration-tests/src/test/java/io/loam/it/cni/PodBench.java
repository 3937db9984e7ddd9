package io.loam.it.cni;

import io.loam.cni.command.CommandException;
import io.loam.cni.command.Commands;
import io.loam.cni.command.ProcessCommands;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.NetnsThread;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;

/// A pod's namespace and a neighbour's, joined by a link, with names of their own. Removed on close.
final class PodBench implements AutoCloseable {
    static final String POD_V4 = "10.213.0.2";
    static final String POD_V6 = "fd00:213::2";
    static final String NEIGHBOUR_V4 = "10.213.0.1";
    static final String NEIGHBOUR_V6 = "fd00:213::1";

    private final Commands host = new ProcessCommands(ProcessCommands.DEFAULT_DEADLINE);
    private final String id =
            "loamit" + Integer.toHexString(ThreadLocalRandom.current().nextInt(0x10000, 0x100000));
    private final List<NetnsThread> threads = new ArrayList<>();
    private final NetnsThread podThread;
    private final NetnsThread neighbourThread;

    PodBench() throws IOException {
        try {
            run(host, "ip netns add " + id + "-pod");
            run(host, "ip netns add " + id + "-out");
            run(host, "ip -n " + id + "-out link add eth0 type veth peer name eth0 netns " + id + "-pod");
            address("-pod", POD_V4, POD_V6);
            address("-out", NEIGHBOUR_V4, NEIGHBOUR_V6);
            run(host, "ip -n " + id + "-pod route add default via " + NEIGHBOUR_V4);
            run(host, "ip -n " + id + "-pod -6 route add default via " + NEIGHBOUR_V6);
            podThread = thread("-pod");
            neighbourThread = thread("-out");
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    private void address(String namespace, String v4, String v6) throws CommandException {
        run(host, "ip -n " + id + namespace + " link set lo up");
        // No link-local address: its duplicate detection would change the routes while a test compares them.
        run(host, "ip -n " + id + namespace + " link set eth0 addrgenmode none");
        run(host, "ip -n " + id + namespace + " addr add " + v4 + "/24 dev eth0");
        run(host, "ip -n " + id + namespace + " addr add " + v6 + "/64 dev eth0 nodad");
        run(host, "ip -n " + id + namespace + " link set eth0 up");
    }

    private NetnsThread thread(String namespace) throws IOException {
        try (var netns = Netns.open(path(namespace))) {
            var thread = NetnsThread.start(netns, id + namespace);
            threads.add(thread);
            return thread;
        }
    }

    Path podPath() {
        return path("-pod");
    }

    Path neighbourPath() {
        return path("-out");
    }

    Commands insidePod() {
        return host.inside(podPath());
    }

    /// Opens a socket, or does something else, in the pod.
    <T> T inPod(Callable<T> task) throws Exception {
        return podThread.submit(task).get(10, TimeUnit.SECONDS);
    }

    <T> T inNeighbour(Callable<T> task) throws Exception {
        return neighbourThread.submit(task).get(10, TimeUnit.SECONDS);
    }

    String podRuleset() throws CommandException {
        return run(insidePod(), "nft list ruleset");
    }

    /// Everything that redirection may change in the pod.
    String podState() throws CommandException {
        return podRuleset()
                + run(insidePod(), "ip -4 rule")
                + run(insidePod(), "ip -6 rule")
                + run(insidePod(), "ip -4 route show table all")
                + run(insidePod(), "ip -6 route show table all");
    }

    /// Takes the pod away as a runtime does.
    void deletePod() throws CommandException {
        run(host, "ip netns del " + id + "-pod");
    }

    /// As {@link #deletePod}, and then makes one of the same name, which has no link.
    void remakePod() throws CommandException {
        deletePod();
        run(host, "ip netns add " + id + "-pod");
        run(host, "ip -n " + id + "-pod link set lo up");
    }

    static String run(Commands where, String command) throws CommandException {
        return where.run(Arrays.asList(command.split(" ")));
    }

    private Path path(String namespace) {
        return Path.of("/run/netns", id + namespace);
    }

    @Override
    public void close() {
        threads.forEach(NetnsThread::close);
        for (var namespace : List.of("-pod", "-out")) {
            if (path(namespace).toFile().exists()) {
                try {
                    run(host, "ip netns del " + id + namespace);
                } catch (CommandException e) {
                    throw new AssertionError("namespace " + id + namespace + " stays behind", e);
                }
            }
        }
    }
}
