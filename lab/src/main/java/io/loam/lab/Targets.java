package io.loam.lab;

import io.loam.config.cluster.RunningPod;
import io.loam.config.object.ContainerSpec;
import io.loam.config.object.ContainerSpec.ContainerPort;
import io.loam.model.address.NetworkAddress;
import io.loam.model.decision.EgressRule;
import io.loam.model.dns.AddressFamily;
import io.loam.model.dns.NameAnswer;
import io.loam.model.dns.NameResolver;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.workload.Workload;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import java.util.Random;

/// Finds the address that a program in a pod would connect to.
///
/// @param resolver the names of the mesh, as agents resolve them
record Targets(Lab lab, MeshSnapshot mesh, NameResolver resolver) {
    /// @param text an address, a host name, `namespace/pod`, `namespace/service` or a pod's name; with or without
    /// `:port`
    /// @throws IllegalArgumentException if nothing is called so, or the port cannot be guessed
    Target of(RunningPod sourcePod, Workload source, String text) throws IOException {
        int colon = portColon(text);
        var name = colon < 0 ? text : text.substring(0, colon);
        int port = colon < 0 ? 0 : port(text, text.substring(colon + 1));
        var literal = literal(name);
        if (literal.isPresent()) {
            return target(text, "an address", literal.get(), source, port);
        }
        int slash = name.indexOf('/');
        if (slash >= 0) {
            return inNamespace(source, text, name.substring(0, slash), name.substring(slash + 1), port);
        }
        var resolved = resolve(source, name);
        if (resolved.isPresent()) {
            return target(text, "name of the mesh, answered by the agent", resolved.get(), source, port);
        }
        if (name.contains(".")) {
            return outside(sourcePod, source, text, name, port);
        }
        return podTarget(text, lab.pod(name), port);
    }

    private Target inNamespace(Workload source, String text, String namespace, String name, int port) {
        var pod = lab.pods().stream()
                .filter(running ->
                        running.namespace().equals(namespace) && running.name().equals(name))
                .findFirst();
        if (pod.isPresent()) {
            return podTarget(text, pod.get(), port);
        }
        var resolved = resolve(source, name + "." + namespace);
        return resolved.isPresent()
                ? target(text, "service " + namespace + "/" + name, resolved.get(), source, port)
                : podTarget(text, lab.pod(namespace + "/" + name), port);
    }

    private static Target podTarget(String text, RunningPod pod, int port) {
        if (pod.ips().isEmpty()) {
            throw new IllegalArgumentException("pod " + pod.namespace() + "/" + pod.name() + " has no address yet");
        }
        int chosen = port != 0
                ? port
                : pod.pod().spec().containers().stream()
                        .map(ContainerSpec::ports)
                        .flatMap(List::stream)
                        .map(ContainerPort::containerPort)
                        .findFirst()
                        .orElseThrow(() -> portMissing(text));
        var how = "pod " + pod.namespace() + "/" + pod.name();
        return new Target(text, how, new InetSocketAddress(pod.ips().getFirst(), chosen));
    }

    private Target target(String text, String how, InetAddress address, Workload source, int port) {
        if (port != 0) {
            return new Target(text, how, new InetSocketAddress(address, port));
        }
        var service = mesh.findService(new NetworkAddress(source.network(), address), source.namespace());
        if (service == null || service.ports().isEmpty()) {
            throw portMissing(text);
        }
        return new Target(
                text,
                how,
                new InetSocketAddress(address, service.ports().getFirst().servicePort()));
    }

    private static IllegalArgumentException portMissing(String text) {
        return new IllegalArgumentException("which port of " + text + "? (expected: " + text + ":PORT)");
    }

    /// IPv4 first, as most programs try it where both are there and the service does not say otherwise.
    private Optional<InetAddress> resolve(Workload source, String name) {
        for (var family : new AddressFamily[] {AddressFamily.IPV4, AddressFamily.IPV6}) {
            if (resolver.resolve(mesh, source, name, family, new Random(0)) instanceof NameAnswer.Addresses found) {
                return Optional.of(found.addresses().getFirst());
            }
        }
        return Optional.empty();
    }

    /// Names that are not of the mesh: what the pod's own resolver says, if the pod may ask it.
    private Target outside(RunningPod pod, Workload source, String text, String name, int port) throws IOException {
        if (!EgressRule.permitsName(mesh, source, name)) {
            throw new IllegalArgumentException(name + " does not resolve in pod " + pod.namespace() + "/" + pod.name()
                    + ": its egress is REGISTRY_ONLY and no service has the name (see 'loam explain NOT_IN_REGISTRY')");
        }
        var answer = lab.exec(pod.namespace() + "/" + pod.name(), "getent", "ahosts", name);
        var first = answer.output().strip().split("\\s+")[0];
        var address = answer.exitCode() == 0 ? literal(first) : Optional.<InetAddress>empty();
        return target(
                text,
                "the pod's resolver",
                address.orElseThrow(() -> new IllegalArgumentException(
                        "nothing is called " + name + ": no service, no pod, and the pod's resolver does not know it")),
                source,
                port);
    }

    private static Optional<InetAddress> literal(String text) {
        try {
            return Optional.of(InetAddress.ofLiteral(
                    text.startsWith("[") && text.endsWith("]") ? text.substring(1, text.length() - 1) : text));
        } catch (IllegalArgumentException _) { // a name, then
            return Optional.empty();
        }
    }

    /// Where the port begins; an IPv6 address without brackets has none.
    private static int portColon(String text) {
        int last = text.lastIndexOf(':');
        return last < 0 || text.endsWith("]") || (!text.startsWith("[") && text.indexOf(':') != last) ? -1 : last;
    }

    private static int port(String text, String digits) {
        if (digits.matches("[0-9]{1,5}")) {
            int port = Integer.parseInt(digits);
            if (port >= 1 && port <= 65_535) {
                return port;
            }
        }
        throw new IllegalArgumentException(text + ": port " + digits + " (expected: 1 to 65535)");
    }
}
