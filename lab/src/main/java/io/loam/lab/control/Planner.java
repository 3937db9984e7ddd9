package io.loam.lab.control;

import io.loam.config.cluster.RunningPod.Owner;
import io.loam.config.object.DeploymentObject;
import io.loam.config.object.DeploymentObject.Strategy.Recreate;
import io.loam.config.object.DeploymentObject.Strategy.RollingUpdate;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.NodeObject;
import io.loam.config.object.PodObject;
import io.loam.lab.control.Plan.Waiting;
import io.loam.lab.control.PodView.Mesh;
import io.loam.lab.control.PodView.Stage;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.Supplier;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Compares what is written with what runs and says what to do next. A pure function: the same question has the same
/// answer (given the same name suffixes), and asking again while the actions are under way repeats none of them, as
/// long as what they started shows in the next question.
///
/// Deployments go by the rules of Kubernetes' controller: with a rolling update, pods are created up to `replicas` +
/// `maxSurge` and old ones ended while `replicas` - `maxUnavailable` are ready; otherwise all old ones end first. A
/// deployment whose template asks for an address is always replaced that way, because two pods cannot have it.
final class Planner {
    private static final String DEPLOYMENT = "Deployment";

    private final List<MeshObject> objects;
    private final Collection<PodView> pods;
    private final Set<String> nodes;
    private final MeshRule mesh;
    private final Supplier<String> suffixes;
    private final Map<String, NamespaceObject> namespaces = new HashMap<>();
    private final Map<String, NodeObject> nodeObjects = new LinkedHashMap<>();
    private final Map<String, Integer> load = new HashMap<>();
    private final Set<InetAddress> taken = new HashSet<>();
    private final Set<String> ended = new HashSet<>();
    private final Map<String, PodObject> relabelled = new HashMap<>();
    private final List<Action> actions = new ArrayList<>();
    private final List<Waiting> waiting = new ArrayList<>();

    private Planner(
            List<MeshObject> objects,
            Collection<PodView> pods,
            Set<String> nodes,
            MeshRule mesh,
            Supplier<String> suffixes) {
        this.objects = objects;
        this.pods = pods;
        this.nodes = nodes;
        this.mesh = mesh;
        this.suffixes = suffixes;
    }

    /// @param objects what is written
    /// @param pods what runs
    /// @param nodes those that are set up
    /// @param suffixes for the names of pods of deployments; five characters each, never the same twice
    static Plan plan(
            List<MeshObject> objects,
            Collection<PodView> pods,
            Set<String> nodes,
            MeshRule mesh,
            Supplier<String> suffixes) {
        var planner = new Planner(objects, pods, nodes, mesh, suffixes);
        planner.run();
        return new Plan(planner.actions, planner.waiting);
    }

    private void run() {
        for (var object : objects) {
            switch (object) {
                case NamespaceObject namespace ->
                    namespaces.put(namespace.meta().name(), namespace);
                case NodeObject node -> nodeObjects.put(node.meta().name(), node);
                default -> {}
            }
        }
        for (var pod : pods) {
            load.merge(pod.node(), 1, Integer::sum);
            taken.addAll(pod.ips());
            taken.addAll(pod.pod().requestedIps());
        }
        planNodes();
        planWrittenPods(); // first: whether a pod belongs to the mesh is a matter of the labels it gets here
        planRunningPods();
        planOrphans();
        for (var object : objects) {
            if (object instanceof DeploymentObject deployment) {
                planDeployment(deployment);
            }
        }
    }

    private void planNodes() {
        for (var name : nodeObjects.keySet()) {
            if (!nodes.contains(name)) {
                actions.add(new Action.AddNode(name));
            }
        }
        for (var name : nodes) {
            if (!nodeObjects.containsKey(name) && !load.containsKey(name)) {
                actions.add(new Action.RemoveNode(name));
            }
        }
    }

    /// What holds for each pod alone: its containers, its membership, its node.
    private void planRunningPods() {
        for (var pod : pods) {
            if (pod.isEnding() || ended.contains(pod.uid())) {
                continue;
            }
            if (!nodeObjects.containsKey(pod.node())) {
                end(pod, "its node is gone");
                continue;
            }
            var belongs = !pod.isDone()
                    && mesh.takes(
                            relabelled.getOrDefault(pod.uid(), pod.pod()),
                            namespaces.get(pod.pod().meta().namespace()));
            if (pod.stage() != Stage.CREATING) {
                if (belongs && pod.mesh() == Mesh.OUTSIDE) {
                    actions.add(new Action.Join(pod.uid()));
                } else if (!belongs && pod.mesh() != Mesh.OUTSIDE) {
                    actions.add(new Action.Leave(pod.uid()));
                }
            }
            // A pod of the mesh starts captured or not at all: there must be no moment in which it talks in plaintext.
            if (pod.stage() == Stage.CONNECTED && (!belongs || pod.mesh() == Mesh.INSIDE)) {
                actions.add(new Action.StartContainers(pod.uid()));
            }
        }
    }

    private void planWrittenPods() {
        var written = new LinkedHashMap<String, PodObject>();
        for (var object : objects) {
            if (object instanceof PodObject pod) {
                written.put(name(pod), pod);
            }
        }
        for (var pod : pods) {
            if (pod.owner() != null) {
                continue;
            }
            var wanted = written.get(name(pod.pod()));
            if (wanted == null) {
                end(pod, "it is no longer written");
            } else if (!wanted.spec().equals(pod.pod().spec())
                    || !wanted.requestedIps().equals(pod.pod().requestedIps())) {
                end(pod, "its spec changed");
            } else if (!pod.isEnding() && !wanted.meta().equals(pod.pod().meta())) {
                actions.add(new Action.Relabel(pod.uid(), wanted.meta()));
                relabelled.put(pod.uid(), wanted);
            }
            if (wanted != null) {
                written.remove(name(pod.pod()));
                if (pod.isEnding()) {
                    waiting.add(new Waiting(name(wanted), "its predecessor is still ending"));
                }
            }
        }
        written.values().forEach(pod -> create(pod, null, null));
    }

    /// Pods of deployments that are no longer written.
    private void planOrphans() {
        var deployments = new HashSet<String>();
        for (var object : objects) {
            if (object instanceof DeploymentObject deployment) {
                deployments.add(
                        deployment.meta().namespace() + "/" + deployment.meta().name());
            }
        }
        for (var pod : pods) {
            var owner = pod.owner();
            if (owner != null && !deployments.contains(pod.pod().meta().namespace() + "/" + owner.name())) {
                end(pod, "its deployment is no longer written");
            }
        }
    }

    private void planDeployment(DeploymentObject deployment) {
        var owner = new Owner(DEPLOYMENT, deployment.meta().name());
        var own = pods.stream()
                .filter(pod -> owner.equals(pod.owner())
                        && pod.pod().meta().namespace().equals(deployment.meta().namespace()))
                .toList();
        for (var pod : own) {
            if (!pod.isEnding() && pod.isDone()) {
                end(pod, "it ended");
            }
        }
        var alive = own.stream().filter(pod -> !pod.isEnding() && !pod.isDone()).toList();
        var current = alive.stream()
                .filter(pod -> deployment.template().equals(pod.template()))
                .sorted(LEAST_USEFUL_FIRST)
                .toList();
        var old = alive.stream()
                .filter(pod -> !deployment.template().equals(pod.template()))
                .sorted(LEAST_USEFUL_FIRST)
                .toList();
        var strategy = deployment.template().requestedIps().isEmpty() ? deployment.strategy() : new Recreate();
        int create = switch (strategy) {
            case Recreate() -> {
                old.forEach(pod -> end(pod, "its template changed"));
                var oldOnesAreGone = old.isEmpty()
                        && own.stream()
                                .allMatch(pod ->
                                        !pod.isEnding() || deployment.template().equals(pod.template()));
                yield oldOnesAreGone ? deployment.replicas() - current.size() : 0;
            }
            case RollingUpdate(int maxSurge, int maxUnavailable) -> {
                endOld(old, current, deployment.replicas() - maxUnavailable);
                yield Math.min(deployment.replicas() - current.size(), deployment.replicas() + maxSurge - alive.size());
            }
        };
        for (int i = 0; i < create; i++) {
            create(deployment.pod(newName(deployment)), owner, deployment);
        }
        current.stream()
                .limit(Math.max(0, current.size() - deployment.replicas()))
                .forEach(pod -> end(pod, "there are more than " + deployment.replicas()));
    }

    /// Pods that are not ready serve nobody, so ending them costs nothing; ready ones give way one for one.
    private void endOld(List<PodView> old, List<PodView> current, int leastReady) {
        long ready = old.stream().filter(PodView::ready).count()
                + current.stream().filter(PodView::ready).count();
        for (var pod : old) {
            if (!pod.ready()) {
                end(pod, "its template changed");
            } else if (ready > leastReady) {
                end(pod, "its template changed");
                ready--;
            }
        }
    }

    private static final Comparator<PodView> LEAST_USEFUL_FIRST =
            Comparator.comparing(PodView::ready).thenComparing(PodView::stage);

    private void create(PodObject pod, @Nullable Owner owner, @Nullable DeploymentObject deployment) {
        var label = deployment == null
                ? name(pod)
                : deployment.meta().namespace() + "/" + deployment.meta().name();
        if (pod.spec().containers().isEmpty() || !hasCommands(pod)) {
            return; // who wrote it was told, and nothing would come of waiting for it
        }
        for (var ip : pod.requestedIps()) {
            if (taken.contains(ip)) {
                waiting.add(new Waiting(label, "address " + ip.getHostAddress() + " is taken"));
                return;
            }
        }
        var node = place(pod);
        if (node.isEmpty()) {
            waiting.add(new Waiting(label, whyNoNode(pod)));
            return;
        }
        load.merge(node.get(), 1, Integer::sum);
        taken.addAll(pod.requestedIps());
        actions.add(new Action.Create(pod, owner, deployment == null ? null : deployment.template(), node.get()));
    }

    /// Whether a container has to be taken from an image, which a lab does not do.
    private static boolean hasCommands(PodObject pod) {
        return Stream.of(pod.spec().initContainers(), pod.spec().containers())
                .flatMap(List::stream)
                .noneMatch(container -> container.command().isEmpty());
    }

    /// The node it names, else the one with the fewest pods among those that fit, else (of equals) the first written.
    private Optional<String> place(PodObject pod) {
        var named = pod.spec().nodeName();
        return nodeObjects.values().stream()
                .filter(node -> nodes.contains(node.meta().name()))
                .filter(node -> named.isEmpty()
                        ? !node.unschedulable() && fits(pod, node)
                        : node.meta().name().equals(named))
                .map(node -> node.meta().name())
                .min(Comparator.comparingInt(name -> load.getOrDefault(name, 0)));
    }

    private static boolean fits(PodObject pod, NodeObject node) {
        return node.meta()
                .labels()
                .entrySet()
                .containsAll(pod.spec().nodeSelector().entrySet());
    }

    private String whyNoNode(PodObject pod) {
        if (!nodes.containsAll(nodeObjects.keySet())) {
            return "its node is not set up yet";
        }
        var named = pod.spec().nodeName();
        if (!named.isEmpty()) {
            return "there is no node " + named;
        }
        return nodeObjects.isEmpty()
                ? "there is no Node"
                : "no node fits its nodeSelector " + pod.spec().nodeSelector();
    }

    private void end(PodView pod, String reason) {
        if (!pod.isEnding() && ended.add(pod.uid())) {
            actions.add(new Action.End(pod.uid(), reason));
        }
    }

    private String newName(DeploymentObject deployment) {
        var hash = Integer.toHexString(Objects.hash(deployment.template().toString()));
        return deployment.meta().name() + "-" + hash + "-" + suffixes.get();
    }

    private static String name(PodObject pod) {
        return pod.meta().namespace() + "/" + pod.meta().name();
    }
}
