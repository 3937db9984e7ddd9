package io.loam.lab;

import io.loam.config.cluster.RunningPod;
import io.loam.config.problem.Problem;
import io.loam.lab.command.Command;
import io.loam.lab.network.LabName;
import io.loam.lab.remains.LabRemains;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/// A lab that runs in this process: control plane, CA, DNS and everything that places and starts pods; each node's
/// agent and each container is a process of its own. Needs root. All methods block and may be called from any thread.
///
/// ```java
/// try (var lab = Lab.start("demo", List.of(Path.of("samples/shop")))) {
///     lab.awaitReady(Duration.ofSeconds(30));
///     lab.exec("shop/web", "curl", "-s", "http://cart/");
/// }
/// ```
@SuppressWarnings({"DoNotCallSuggester", "UnusedMethod"}) // until its parts are there
public final class Lab implements AutoCloseable {
    private final LabName name;

    private Lab(LabName name) {
        this.name = name;
    }

    /// @param name see {@link LabName}; what a killed lab of this name left behind is removed first
    /// @param filesOrDirs Kubernetes YAML; later edits apply live
    /// @throws IOException if the network or one of the servers cannot be set up; nothing is left behind then
    public static Lab start(String name, List<Path> filesOrDirs) throws IOException {
        throw new UnsupportedOperationException("lab " + name + " of " + filesOrDirs);
    }

    public LabName name() {
        return name;
    }

    /// Waits until every pod that was asked for is ready (or has done its work) and every change of the files has
    /// reached every node agent.
    ///
    /// @throws IOException if that is not so in time; the message says what is pending
    public void awaitReady(Duration atMost) throws IOException {
        throw new UnsupportedOperationException("awaitReady " + atMost);
    }

    /// What {@link #awaitReady} still waits for, one sentence each.
    public List<String> pending() {
        throw new UnsupportedOperationException("pending");
    }

    /// The pods that were placed, those that are ending included.
    public Collection<RunningPod> pods() {
        throw new UnsupportedOperationException("pods");
    }

    /// @param pod `namespace/name`, or the name alone where it is unique; may be a Deployment: its first ready pod
    public RunningPod pod(String pod) {
        throw new UnsupportedOperationException("pod " + pod);
    }

    /// What is wrong with the files.
    public List<Problem> problems() {
        throw new UnsupportedOperationException("problems");
    }

    /// Runs a program inside a pod: its network, its host name, its files in `/etc`; at most 60 s.
    ///
    /// @param pod as {@link #pod}
    public Command.Result exec(String pod, String... command) throws IOException {
        return Command.result(List.of(command), "", Duration.ofMinutes(1));
    }

    /// What to put before a command so that it runs inside the pod.
    public List<String> enter(String pod) {
        throw new UnsupportedOperationException("enter " + pod);
    }

    /// Where the output of a container goes.
    public Path log(String pod, String container) {
        throw new UnsupportedOperationException("log " + pod + container);
    }

    /// The network namespace of a node (`/run/netns/…`); its uplink is `eth0`, its agent listens there.
    public Path nodeNetns(String node) {
        return LabName.netnsPath(name.nodeNetns(node));
    }

    /// The network namespace of a pod; its link is `eth0`.
    public Path podNetns(String pod) {
        throw new UnsupportedOperationException("podNetns " + pod);
    }

    /// The namespace nodes are linked through; holds control plane, CA, DNS and the outside (203.0.113.1,
    /// 2001:db8:113::1).
    public Path fabricNetns() {
        return LabName.netnsPath(name.fabricNetns());
    }

    /// What the node's agent printed, access log included.
    public Path agentLog(String node) {
        return name.stateDir().resolve("nodes").resolve(node).resolve("agent.log");
    }

    /// The process of the node's agent at the moment.
    public ProcessHandle agent(String node) {
        throw new UnsupportedOperationException("agent " + node);
    }

    /// Takes the carrier from a node's uplink: packets are lost both ways until {@link #heal}.
    public void cut(String node) throws IOException {
        throw new UnsupportedOperationException("cut " + node);
    }

    public void heal(String node) throws IOException {
        throw new UnsupportedOperationException("heal " + node);
    }

    /// Ends everything and leaves nothing behind.
    public void stop() throws IOException {
        down(name.value());
    }

    @Override
    public void close() throws IOException {
        stop();
    }

    /// As {@link #stop}, also for a lab of another process, also where that process or others were killed.
    public static void down(String name) throws IOException {
        LabRemains.of(new LabName(name)).remove();
    }

    /// Every lab that has left something on this machine, running or not.
    public static Set<String> list() throws IOException {
        return LabRemains.labs();
    }
}
