package io.loam.config;

import io.loam.config.object.ContainerEnvironment.PodFacts;
import io.loam.config.object.ContainerSpec;
import io.loam.config.object.ContainerSpec.ContainerPort;
import io.loam.config.object.ContainerSpec.EnvVar;
import io.loam.config.object.PodObject;
import io.loam.config.object.PodSpec;
import io.loam.config.object.PodSpec.RestartPolicy;
import io.loam.config.object.PortRef;
import io.loam.config.object.Probe;
import io.loam.config.object.Probe.HttpGet.Header;
import io.loam.config.object.Probe.HttpGet.Scheme;
import io.loam.config.object.TransportProtocol;
import io.loam.config.yaml.YamlMapping;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Reads Pod and everything below `spec` of pods and of templates.
final class PodReader {
    static final Map<String, TransportProtocol> PROTOCOLS = new TreeMap<>(
            Map.of("TCP", TransportProtocol.TCP, "UDP", TransportProtocol.UDP, "SCTP", TransportProtocol.SCTP));
    static final int LAST_PORT = 65535;
    /// A day: nobody waits longer, and it keeps sums of durations far from overflow.
    private static final int MOST_SECONDS = 86_400;

    private static final String NO_EFFECT = "without effect: programs run on this machine, outside any container";

    private PodReader() {}

    static PodObject read(YamlMapping root) {
        var meta = MetadataReader.read(root, true);
        var requestedIps = MetadataReader.requestedIps(root.mapping("metadata"));
        return new PodObject(meta, spec(root), requestedIps);
    }

    /// @param owner has the field `spec`
    static PodSpec spec(YamlMapping owner) {
        var spec = owner.mapping("spec");
        if (spec == null) {
            if (!owner.has("spec")) {
                owner.missing("spec", "spec with containers");
            }
            return new PodSpec(
                    List.of(), List.of(), RestartPolicy.ALWAYS, "", Map.of(), "", false, "", "", Duration.ZERO);
        }
        if (!spec.has("containers")) {
            spec.missing("containers", "at least one container");
        }
        var initContainers = containers(spec, "initContainers", false);
        var containers = containers(spec, "containers", true);
        checkNames(spec, initContainers, containers);
        spec.ignore(
                "imagePullSecrets",
                "enableServiceLinks",
                "schedulerName",
                "priority",
                "priorityClassName",
                "preemptionPolicy",
                "automountServiceAccountToken",
                "overhead",
                "runtimeClassName",
                "os",
                "tolerations",
                "setHostnameAsFQDN");
        spec.withoutEffect(
                NO_EFFECT,
                "affinity",
                "topologySpreadConstraints",
                "volumes",
                "securityContext",
                "dnsPolicy",
                "dnsConfig",
                "hostAliases",
                "shareProcessNamespace",
                "hostPID",
                "hostIPC",
                "readinessGates",
                "activeDeadlineSeconds",
                "schedulingGates",
                "ephemeralContainers");
        var restartPolicy = spec.oneOf(
                "restartPolicy",
                RestartPolicy.ALWAYS,
                new TreeMap<>(Map.of(
                        "Always", RestartPolicy.ALWAYS,
                        "OnFailure", RestartPolicy.ON_FAILURE,
                        "Never", RestartPolicy.NEVER)));
        var result = new PodSpec(
                initContainers,
                containers,
                restartPolicy,
                name(spec, "nodeName", ""),
                MetadataReader.labels(spec, "nodeSelector"),
                name(spec, "serviceAccountName", name(spec, "serviceAccount", "default")),
                spec.flag("hostNetwork", false),
                label(spec, "hostname"),
                label(spec, "subdomain"),
                Duration.ofSeconds(spec.integer("terminationGracePeriodSeconds", 30, 0, MOST_SECONDS)));
        spec.finish();
        return result;
    }

    private static String name(YamlMapping mapping, String field, String fallback) {
        var value = mapping.text(field, "");
        if (value.isEmpty()) {
            return fallback;
        }
        if (!Names.isSubdomain(value)) {
            MetadataReader.reject(mapping, field, Names.SUBDOMAIN);
        }
        return value;
    }

    private static String label(YamlMapping mapping, String field) {
        var value = mapping.text(field, "");
        if (!value.isEmpty() && !Names.isLabel(value)) {
            MetadataReader.reject(mapping, field, Names.LABEL);
        }
        return value;
    }

    private static void checkNames(YamlMapping spec, List<ContainerSpec> init, List<ContainerSpec> main) {
        var names = new HashSet<String>();
        for (var list : List.of(init, main)) {
            for (var container : list) {
                if (!names.add(container.name()) && !container.name().isEmpty()) {
                    spec.reject("containers", container.name(), "a different name for each container", "");
                }
            }
        }
    }

    private static List<ContainerSpec> containers(YamlMapping spec, String field, boolean required) {
        var items = spec.mappings(field);
        if (required && items.isEmpty() && spec.has(field)) {
            spec.reject(field, spec.describe(field), "at least one container", "");
        }
        return items.stream().map(PodReader::container).toList();
    }

    private static ContainerSpec container(YamlMapping container) {
        var name = container.requiredText("name", Names.LABEL);
        if (!name.isEmpty() && !Names.isLabel(name)) {
            MetadataReader.reject(container, "name", Names.LABEL);
        }
        var command = container.texts("command");
        if (command.isEmpty()) { // Kubernetes takes the image's
            container.warn(
                    "command",
                    "missing",
                    "the program to run; images are not used, programs of this machine are",
                    "such pods are not started");
        } else if (command.getFirst().isEmpty()) {
            container.reject("command", "\"\"", "the program to run", "");
        }
        var ports = ports(container);
        var result = new ContainerSpec(
                name,
                command,
                container.texts("args"),
                env(container),
                workingDir(container),
                ports,
                probe(container, "livenessProbe", ports, true),
                probe(container, "readinessProbe", ports, false),
                probe(container, "startupProbe", ports, true));
        container.ignore(
                "image",
                "imagePullPolicy",
                "resources",
                "resizePolicy",
                "terminationMessagePath",
                "terminationMessagePolicy",
                "stdin",
                "stdinOnce",
                "tty");
        container.withoutEffect(
                NO_EFFECT, "volumeMounts", "volumeDevices", "lifecycle", "securityContext", "restartPolicy");
        if (container.has("envFrom")) {
            container.warn("envFrom", container.describe("envFrom"), "env", "these variables are not set");
        }
        container.finish();
        return result;
    }

    private static String workingDir(YamlMapping container) {
        var dir = container.text("workingDir", "");
        if (!dir.isEmpty() && !dir.startsWith("/")) {
            MetadataReader.reject(container, "workingDir", "an absolute path");
        }
        return dir;
    }

    private static List<ContainerPort> ports(YamlMapping container) {
        var ports = new ArrayList<ContainerPort>();
        var names = new HashSet<String>();
        for (var port : container.mappings("ports")) {
            if (!port.has("containerPort")) {
                port.missing("containerPort", "a port from 1 to 65535");
            }
            var name = port.text("name", "");
            if (!name.isEmpty() && !Names.isPortName(name)) {
                MetadataReader.reject(port, "name", Names.PORT_NAME);
            } else if (!name.isEmpty() && !names.add(name)) {
                MetadataReader.reject(port, "name", "a different name for each port");
            }
            ports.add(new ContainerPort(
                    name,
                    port.integer("containerPort", 1, 1, LAST_PORT),
                    port.oneOf("protocol", TransportProtocol.TCP, PROTOCOLS)));
            port.withoutEffect("without effect: a pod's ports are reached at its own address", "hostPort", "hostIP");
            port.finish();
        }
        return ports;
    }

    private static List<EnvVar> env(YamlMapping container) {
        var env = new ArrayList<EnvVar>();
        for (var variable : container.mappings("env")) {
            var name = variable.requiredText("name", Names.ENV_NAME);
            if (!name.isEmpty() && !Names.isEnvName(name)) {
                MetadataReader.reject(variable, "name", Names.ENV_NAME);
            }
            var value = envValue(variable);
            if (value != null) {
                env.add(new EnvVar(name, value));
            }
            variable.finish();
        }
        return env;
    }

    private static EnvVar.@Nullable Value envValue(YamlMapping variable) {
        var from = variable.mapping("valueFrom");
        if (from == null) {
            return new EnvVar.Literal(variable.text("value", ""));
        }
        if (!variable.text("value", "").isEmpty()) {
            variable.reject("valueFrom", "a mapping", "either value or valueFrom", "");
        }
        for (var source : List.of("secretKeyRef", "configMapKeyRef", "resourceFieldRef", "fileKeyRef")) {
            if (from.has(source)) {
                from.warn(source, from.describe(source), "value or valueFrom.fieldRef", "the variable is not set");
                return null;
            }
        }
        var field = from.mapping("fieldRef");
        from.finish();
        if (field == null) {
            from.missing("fieldRef", "fieldRef with a fieldPath");
            return null;
        }
        field.ignore("apiVersion");
        var path = field.requiredText("fieldPath", PodFacts.fieldNames());
        if (!path.isEmpty() && !PodFacts.isField(path)) {
            MetadataReader.reject(field, "fieldPath", PodFacts.fieldNames());
        }
        field.finish();
        return new EnvVar.FieldRef(path);
    }

    /// @param once one success must be enough, as Kubernetes demands for liveness and startup
    private static @Nullable Probe probe(YamlMapping container, String field, List<ContainerPort> ports, boolean once) {
        var probe = container.mapping(field);
        if (probe == null) {
            return null;
        }
        var actions = new HashMap<String, Probe.Action>();
        var exec = probe.mapping("exec");
        if (exec != null) {
            var command = exec.texts("command");
            if (command.isEmpty()) {
                exec.missing("command", "the program to run");
            }
            exec.finish();
            actions.put("exec", new Probe.Exec(command));
        }
        var get = probe.mapping("httpGet");
        if (get != null) {
            actions.put("httpGet", httpGet(get, ports));
        }
        var socket = probe.mapping("tcpSocket");
        if (socket != null) {
            actions.put("tcpSocket", new Probe.TcpSocket(port(socket, ports), socket.text("host", "")));
            socket.finish();
        }
        if (probe.has("grpc")) {
            probe.reject("grpc", probe.describe("grpc"), "exec, httpGet or tcpSocket", "");
        } else if (actions.size() != 1) {
            container.reject(
                    field,
                    actions.isEmpty() ? "no action" : actions.size() + " actions",
                    "one of exec, httpGet and tcpSocket",
                    "");
        }
        probe.ignore("terminationGracePeriodSeconds");
        var action = actions.isEmpty()
                ? new Probe.Exec(List.of())
                : actions.values().iterator().next();
        var result = new Probe(
                action,
                Duration.ofSeconds(probe.integer("initialDelaySeconds", 0, 0, MOST_SECONDS)),
                Duration.ofSeconds(probe.integer("periodSeconds", 10, 1, MOST_SECONDS)),
                Duration.ofSeconds(probe.integer("timeoutSeconds", 1, 1, MOST_SECONDS)),
                probe.integer("successThreshold", 1, 1, once ? 1 : Integer.MAX_VALUE),
                probe.integer("failureThreshold", 3, 1, Integer.MAX_VALUE));
        probe.finish();
        return result;
    }

    private static Probe.HttpGet httpGet(YamlMapping get, List<ContainerPort> ports) {
        var headers = new ArrayList<Header>();
        for (var header : get.mappings("httpHeaders")) {
            headers.add(new Header(header.requiredText("name", "the name of a header"), header.text("value", "")));
            header.finish();
        }
        var result = new Probe.HttpGet(
                port(get, ports),
                get.text("path", "/"),
                get.text("host", ""),
                get.oneOf("scheme", Scheme.HTTP, new TreeMap<>(Map.of("HTTP", Scheme.HTTP, "HTTPS", Scheme.HTTPS))),
                headers);
        get.finish();
        return result;
    }

    private static PortRef port(YamlMapping action, List<ContainerPort> ports) {
        if (!action.has("port")) {
            action.missing("port", "a port from 1 to 65535, or the name of one");
            return new PortRef.Numbered(1);
        }
        var port = portRef(action, "port", 1);
        if (port instanceof PortRef.Named named && port.resolve(ports).isEmpty()) {
            var known = ports.stream()
                    .map(ContainerPort::name)
                    .filter(name -> !name.isEmpty())
                    .toList();
            action.reject(
                    "port",
                    named.name(),
                    known.isEmpty()
                            ? "a number; the container names no port"
                            : "a number, or a port of the container: " + String.join(", ", known),
                    "");
        }
        return port;
    }

    /// A port by number or name; `fallback` where it is not written.
    static PortRef portRef(YamlMapping mapping, String field, int fallback) {
        var value = mapping.scalar(field);
        if (value == null) {
            return new PortRef.Numbered(fallback);
        }
        if (Names.isPortName(value.text())) {
            return new PortRef.Named(value.text());
        }
        try {
            int number = Integer.parseInt(value.text());
            if (number >= 1 && number <= LAST_PORT) {
                return new PortRef.Numbered(number);
            }
        } catch (NumberFormatException _) {
            // neither a name nor a number: answered below
        }
        value.reject("a whole number from 1 to 65535, or " + Names.PORT_NAME);
        return new PortRef.Numbered(fallback);
    }
}
