package io.loam.config.check;

import io.loam.config.cluster.LabelIndex;
import io.loam.config.object.AuthorizationPolicyObject;
import io.loam.config.object.DeploymentObject;
import io.loam.config.object.MeshConfigObject;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.NodeObject;
import io.loam.config.object.PeerAuthenticationObject;
import io.loam.config.object.PodObject;
import io.loam.config.object.PodSpec;
import io.loam.config.object.PortRef;
import io.loam.config.object.ServiceAccountObject;
import io.loam.config.object.ServiceObject;
import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/// Finds what is wrong between documents that are each right by themselves. None of it stops the rest of the mesh.
public final class MeshChecks {
    /// Every cluster has them, whether they are written or not.
    private static final Set<String> BUILT_IN_NAMESPACES = Set.of("default", "kube-system");

    private final List<MeshObject> objects;
    private final List<PodMaker> pods = new ArrayList<>();
    private final List<Problem> problems = new ArrayList<>();

    /// A document that makes pods: a Pod, or a Deployment by its template.
    ///
    /// @param specPath where the pod's `spec` stands in the document
    private record PodMaker(MeshObject object, Map<String, String> labels, PodSpec spec, String specPath) {}

    private MeshChecks(List<MeshObject> objects) {
        this.objects = objects;
        for (var object : objects) {
            switch (object) {
                case PodObject pod -> pods.add(new PodMaker(pod, pod.meta().labels(), pod.spec(), "spec"));
                case DeploymentObject deployment ->
                    pods.add(new PodMaker(
                            deployment,
                            deployment.template().labels(),
                            deployment.template().spec(),
                            "spec.template.spec"));
                default -> {}
            }
        }
    }

    /// @param objects all that are in force
    public static List<Problem> check(List<MeshObject> objects) {
        var checks = new MeshChecks(objects);
        checks.checkNamespaces();
        checks.checkServiceAccounts();
        checks.checkNodes();
        checks.checkPodAddresses();
        checks.checkServices();
        checks.checkPolicies();
        return List.copyOf(checks.problems);
    }

    private void checkNamespaces() {
        var known = new HashSet<>(BUILT_IN_NAMESPACES);
        objects.stream()
                .filter(NamespaceObject.class::isInstance)
                .forEach(namespace -> known.add(namespace.meta().name()));
        for (var object : objects) {
            var namespace = object.meta().namespace();
            if (object instanceof MeshConfigObject) {
                continue; // about the mesh, wherever it lies
            }
            if (!namespace.isEmpty() && known.add(namespace)) { // once per namespace is enough
                warn(
                        object,
                        "metadata.namespace",
                        namespace,
                        "the name of a Namespace",
                        "taken as a namespace without labels");
            }
        }
    }

    private void checkServiceAccounts() {
        var known = new HashSet<String>();
        for (var object : objects) {
            if (object instanceof ServiceAccountObject account) {
                known.add(account.meta().namespace() + "/" + account.meta().name());
            }
        }
        for (var pod : pods) {
            var account = pod.spec().serviceAccountName();
            var namespace = pod.object().meta().namespace();
            if (!account.equals("default") && !known.contains(namespace + "/" + account)) {
                warn(
                        pod.object(),
                        pod.specPath() + ".serviceAccountName",
                        account,
                        "the name of a ServiceAccount in namespace " + namespace,
                        "runs as it all the same");
            }
        }
    }

    private void checkNodes() {
        var nodes = objects.stream()
                .filter(NodeObject.class::isInstance)
                .map(NodeObject.class::cast)
                .toList();
        if (nodes.isEmpty()) {
            return;
        }
        var names = new TreeSet<String>();
        nodes.forEach(node -> names.add(node.meta().name()));
        for (var pod : pods) {
            var name = pod.spec().nodeName();
            var selector = pod.spec().nodeSelector();
            if (!name.isEmpty() && !names.contains(name)) {
                problem(
                        Severity.ERROR,
                        pod.object(),
                        pod.specPath() + ".nodeName",
                        name,
                        "the name of a Node: " + String.join(", ", names),
                        "does not run");
            } else if (nodes.stream()
                    .noneMatch(node -> node.meta().labels().entrySet().containsAll(selector.entrySet()))) {
                problem(
                        Severity.ERROR,
                        pod.object(),
                        pod.specPath() + ".nodeSelector",
                        shown(selector),
                        "labels of a Node",
                        "does not run");
            }
        }
    }

    private void checkPodAddresses() {
        var taken = new HashMap<InetAddress, MeshObject>();
        for (var object : objects) {
            switch (object) {
                case PodObject pod ->
                    pod.requestedIps()
                            .forEach(ip ->
                                    take(ip, taken, pod, "metadata.annotations[\"" + PodObject.IP_ANNOTATION + "\"]"));
                case DeploymentObject deployment -> {
                    var path = "spec.template.metadata.annotations[\"" + PodObject.IP_ANNOTATION + "\"]";
                    for (var ip : deployment.template().requestedIps()) {
                        take(ip, taken, deployment, path);
                        if (deployment.replicas() > 1) {
                            problem(
                                    Severity.ERROR,
                                    deployment,
                                    path,
                                    ip.getHostAddress(),
                                    "one replica, not " + deployment.replicas(),
                                    "only one of its pods can run");
                        }
                    }
                }
                case ServiceObject service ->
                    service.clusterIps().forEach(ip -> take(ip, taken, service, "spec.clusterIP"));
                default -> {}
            }
        }
    }

    private void take(InetAddress ip, Map<InetAddress, MeshObject> taken, MeshObject object, String path) {
        var first = taken.putIfAbsent(ip, object);
        if (first != null) {
            problem(
                    Severity.ERROR,
                    object,
                    path,
                    ip.getHostAddress(),
                    "an address nobody else asks for",
                    first.key() + " at " + first.meta().position() + " asks for it too");
        }
    }

    private void checkServices() {
        var index = LabelIndex.of(pods, pod -> pod.object().meta().namespace(), PodMaker::labels);
        for (var object : objects) {
            if (!(object instanceof ServiceObject service) || service.selector().isEmpty()) {
                continue;
            }
            var selected = index.select(service.meta().namespace(), service.selector());
            if (selected.isEmpty()) {
                warn(
                        service,
                        "spec.selector",
                        shown(service.selector()),
                        "labels of a pod in namespace " + service.meta().namespace(),
                        "has no endpoints");
                continue;
            }
            for (int i = 0; i < service.ports().size(); i++) {
                var port = service.ports().get(i);
                if (port.targetPort() instanceof PortRef.Named(String name)
                        && selected.stream()
                                .allMatch(pod -> port.targetPort()
                                        .resolve(pod.spec(), port.protocol())
                                        .isEmpty())) {
                    warn(
                            service,
                            "spec.ports[" + i + "].targetPort",
                            name,
                            "the name of a " + port.protocol() + " port of its pods",
                            "the port has no endpoints");
                }
            }
        }
    }

    private void checkPolicies() {
        var index = LabelIndex.of(pods, pod -> pod.object().meta().namespace(), PodMaker::labels);
        for (var object : objects) {
            var selector = switch (object) {
                case AuthorizationPolicyObject policy -> policy.selector();
                case PeerAuthenticationObject policy -> policy.selector();
                default -> Map.<String, String>of();
            };
            // Everywhere: which namespaces are root namespaces is a setting, and only those select beyond their own.
            if (!selector.isEmpty()
                    && index.select(object.meta().namespace(), selector).isEmpty()
                    && index.selectEverywhere(selector).isEmpty()) {
                warn(
                        object,
                        "spec.selector",
                        shown(selector),
                        "labels of a pod in namespace " + object.meta().namespace(),
                        "applies to nothing");
            }
        }
    }

    private void warn(MeshObject object, String field, String value, String expected, String reason) {
        problem(Severity.WARNING, object, field, value, expected, reason);
    }

    private void problem(
            Severity severity, MeshObject object, String field, String value, String expected, String reason) {
        problems.add(new Problem(
                severity, object.meta().origin().of(field), object.key().toString(), field, value, expected, reason));
    }

    /// `{app: cart, tier: web}`, sorted.
    private static String shown(Map<String, String> labels) {
        return new TreeMap<>(labels).toString().replace("=", ": ");
    }
}
