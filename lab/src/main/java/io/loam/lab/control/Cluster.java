package io.loam.lab.control;

import io.loam.cni.EnrolledPod;
import io.loam.cni.EnrolmentListener;
import io.loam.cni.rules.CaptureExclusions;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.object.ContainerEnvironment.PodFacts;
import io.loam.config.object.MeshObject;
import io.loam.config.object.NamespaceObject;
import io.loam.config.object.PodObject;
import io.loam.lab.control.PodView.Mesh;
import io.loam.lab.control.PodView.Stage;
import io.loam.lab.network.AddressPool;
import io.loam.lab.network.LabAddresses;
import io.loam.lab.network.LabName;
import io.loam.lab.network.LabNetwork;
import io.loam.lab.network.NodeSlot;
import io.loam.lab.network.PodLink;
import io.loam.lab.process.PodRun;
import io.loam.lab.process.PodSandbox;
import io.loam.lab.process.PodStatus;
import io.loam.model.enrolment.Enrolment;
import java.io.IOException;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.nio.file.Files;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The cluster: holds what is written against what runs, and acts on the difference.
///
/// One thread owns all state. It takes what happened from a queue, asks {@link Planner} what to do, starts that and
/// tells the listener what is the case now. What blocks (namespaces, ending processes) runs on virtual threads and
/// reports back through the queue. Public methods may be called from any thread.
public final class Cluster implements EnrolmentListener, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Cluster.class);

    /// A pod or node whose setting up failed is tried again after this time.
    private static final Duration RETRY_AFTER = Duration.ofSeconds(2);

    /// What the step under way at the end gets to finish; the commands it may wait for are interrupted.
    private static final Duration LAST_STEP = Duration.ofSeconds(2);

    private static final String SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

    private final LabName lab;
    private final LabNetwork network;
    private final NodeParts parts;
    private final ClusterListener listener;
    private final LinkedBlockingQueue<Runnable> inbox = new LinkedBlockingQueue<>();
    private final ExecutorService blocking = Executors.newThreadPerTaskExecutor(
            Thread.ofVirtual().name("lab-", 0).factory());
    private final Thread thread;
    private volatile ClusterView view = ClusterView.EMPTY;
    private volatile boolean closed;

    // From here on: the thread's own.
    private final Map<String, PodRecord> pods = new LinkedHashMap<>();
    private final Map<String, String> brokenNodes = new HashMap<>();
    private final AddressPool addresses = new AddressPool();
    private final ServiceAddresses serviceAddresses = new ServiceAddresses();
    private final Set<String> suffixes = new HashSet<>();
    private List<MeshObject> objects = List.of();
    private final Map<String, Map<String, String>> namespaceAnnotations = new HashMap<>();
    private boolean objectsAreRead;

    public Cluster(LabName lab, LabNetwork network, NodeParts parts, ClusterListener listener) {
        this.lab = lab;
        this.network = network;
        this.parts = parts;
        this.listener = listener;
        this.thread = Thread.ofPlatform().name("lab-cluster").daemon().unstarted(this::run);
    }

    public void start() {
        thread.start();
    }

    /// What is written now.
    public void write(List<MeshObject> written) {
        post(() -> {
            objects = written;
            objectsAreRead = true;
        });
    }

    @Override
    public void enrolled(String uid) {
        post(() -> {
            var pod = pods.get(uid);
            if (pod != null && pod.mesh != Mesh.OUTSIDE) {
                pod.mesh = Mesh.INSIDE;
                pod.meshReason = "";
            }
        });
    }

    @Override
    public void pending(String uid, String reason) {
        post(() -> {
            var pod = pods.get(uid);
            if (pod != null && pod.mesh != Mesh.OUTSIDE && !pod.meshReason.equals(reason)) {
                pod.meshReason = reason;
                LOG.info(
                        "pod={} {}: {}",
                        pod.name(),
                        pod.mesh == Mesh.JOINING
                                ? "is not in the mesh yet"
                                : "is in the mesh as it was, its changes are not",
                        reason);
            }
        });
    }

    @Override
    public void left(String uid) {
        LOG.info("pod uid={} is out of the mesh", uid);
    }

    public ClusterView view() {
        return view;
    }

    private void post(Runnable event) {
        inbox.add(event);
    }

    private void postLater(Runnable event) {
        CompletableFuture.delayedExecutor(RETRY_AFTER.toMillis(), TimeUnit.MILLISECONDS, blocking)
                .execute(() -> post(event));
    }

    private void run() {
        while (!closed) {
            try {
                inbox.take().run();
                for (var more = inbox.poll(); more != null; more = inbox.poll()) {
                    more.run();
                }
                if (objectsAreRead) {
                    step();
                }
            } catch (InterruptedException _) {
                return; // closed
            } catch (RuntimeException | Error e) {
                LOG.error("the lab could not act on a change and goes on with the next one", e);
            }
        }
    }

    private void step() {
        namespaceAnnotations.clear();
        for (var object : objects) {
            if (object instanceof NamespaceObject namespace) {
                namespaceAnnotations.put(
                        namespace.meta().name(), namespace.meta().annotations());
            }
        }
        var nodes = new HashSet<String>();
        network.nodes().forEach(node -> nodes.add(node.name()));
        var plan = Planner.plan(
                objects, pods.values().stream().map(PodRecord::view).toList(), nodes, Cluster::belongs, this::suffix);
        var leaving = new ArrayList<PodRecord>();
        for (var action : plan.actions()) {
            perform(action, leaving);
        }
        for (var record : pods.values()) {
            if (record.mesh != Mesh.OUTSIDE
                    && record.stage != Stage.ENDING
                    && !captureAnnotations(record).equals(record.enrolledWith)) {
                enrol(record); // it stays in the mesh meanwhile
            }
        }
        publish(plan.waiting());
        if (!leaving.isEmpty()) {
            var _ = listener.known().whenComplete((_, _) -> post(() -> leaving.forEach(this::withdraw)));
        }
    }

    private static boolean belongs(PodObject pod, @Nullable NamespaceObject namespace) {
        return Enrolment.decide(
                        pod.meta().labels(),
                        pod.meta().annotations(),
                        pod.meta().namespace(),
                        namespace == null ? Map.of() : namespace.meta().labels(),
                        pod.spec().hostNetwork())
                .enrolled();
    }

    private void perform(Action action, List<PodRecord> leaving) {
        switch (action) {
            case Action.AddNode(var node) -> addNode(node);
            case Action.RemoveNode(var node) -> removeNode(node);
            case Action.Create create -> create(create);
            case Action.StartContainers(var uid) -> startContainers(pod(uid));
            case Action.Relabel(var uid, var meta) -> {
                var record = pod(uid);
                LOG.info("pod={} labels={} annotations={}", record.name(), meta.labels(), meta.annotations());
                record.relabel(meta); // what is captured follows below
            }
            case Action.Join(var uid) -> join(pod(uid));
            case Action.Leave(var uid) -> {
                // Peers speak HBONE to it until they know better: they are told first.
                LOG.info("pod={} leaves the mesh", pod(uid).name());
                pod(uid).mesh = Mesh.OUTSIDE;
                pod(uid).leaving = true;
                leaving.add(pod(uid));
            }
            case Action.End(var uid, var reason) -> end(pod(uid), reason);
        }
    }

    private PodRecord pod(String uid) {
        var pod = pods.get(uid);
        if (pod == null) {
            throw new IllegalStateException("no pod " + uid + " (expected: one that was planned with)");
        }
        return pod;
    }

    private void addNode(String name) {
        if (brokenNodes.containsKey(name)) {
            return;
        }
        try {
            var node = network.addNode(name);
            parts.start(node, this);
            LOG.info("node={} ips={}", name, node.ips());
            post(() -> {}); // its pods can be placed now
        } catch (IOException | RuntimeException e) {
            LOG.error("node={} cannot be set up, tried again in {} s", name, RETRY_AFTER.toSeconds(), e);
            brokenNodes.put(name, String.valueOf(e.getMessage()));
            removeNode(name);
            postLater(() -> brokenNodes.remove(name));
        }
    }

    private void removeNode(String name) {
        try {
            parts.stop(name);
            network.removeNode(name);
        } catch (IOException e) {
            LOG.warn("node={} cannot be removed: {}", name, e.toString());
        }
    }

    private void create(Action.Create create) {
        var node = network.node(create.node()).orElseThrow();
        var pod = create.pod();
        var uid = UUID.randomUUID().toString();
        var hostNetwork = pod.spec().hostNetwork();
        var ips = hostNetwork ? node.ips() : ips(pod.requestedIps(), node);
        var netns = hostNetwork
                ? lab.nodeNetns(node.name())
                : lab.podNetns(pod.meta().namespace(), pod.meta().name());
        var record = new PodRecord(
                uid,
                pod,
                create.owner(),
                create.template(),
                new PodLink(node, netns, PodLink.linkName(uid), ips),
                lab.stateDir().resolve("pods").resolve(uid));
        pods.put(uid, record);
        LOG.info("pod={} uid={} node={} ips={}", record.name(), uid, node.name(), ips);
        var facts = facts(record);
        blocking.execute(() -> {
            try {
                if (!hostNetwork) {
                    network.attach(record.link);
                }
                var sandbox =
                        PodSandbox.create(record.directory, LabName.netnsPath(netns), facts, LabAddresses.DNS_IPV4);
                post(() -> connected(record, sandbox));
            } catch (IOException | RuntimeException | Error e) {
                LOG.error("pod={} cannot be set up, tried again in {} s", record.name(), RETRY_AFTER.toSeconds(), e);
                post(() -> {
                    record.status = new PodStatus(Phase.PENDING, false, String.valueOf(e.getMessage()), List.of());
                    postLater(() -> end(record, "its network could not be set up"));
                });
            } finally {
                record.created.complete(null);
            }
        });
    }

    private List<InetAddress> ips(List<InetAddress> requested, NodeSlot node) {
        if (requested.size() == 2) {
            return requested;
        }
        var taken = new HashSet<InetAddress>();
        pods.values().forEach(pod -> taken.addAll(pod.link.ips()));
        for (var object : objects) {
            if (object instanceof PodObject pod) {
                taken.addAll(pod.requestedIps());
            }
        }
        var given = addresses
                .next(node, taken)
                .orElseThrow(() -> new IllegalStateException(
                        "node " + node.name() + " has no address left (expected: at most " + 253 + " pods on a node)"));
        if (requested.isEmpty()) {
            return given;
        }
        var own = requested.getFirst();
        return own instanceof Inet6Address ? List.of(given.getFirst(), own) : List.of(own, given.getLast());
    }

    private static PodFacts facts(PodRecord record) {
        return new PodFacts(
                record.pod,
                record.uid,
                record.node(),
                record.link.ips().stream().map(InetAddress::getHostAddress).toList(),
                record.link.node().ips().stream()
                        .map(InetAddress::getHostAddress)
                        .toList());
    }

    private void connected(PodRecord record, PodSandbox sandbox) {
        record.sandbox = sandbox;
        if (record.stage == Stage.CREATING) {
            record.stage = Stage.CONNECTED;
            record.status = new PodStatus(Phase.PENDING, false, "it has not started", List.of());
        }
    }

    private void startContainers(PodRecord record) {
        var sandbox = record.sandbox;
        if (sandbox == null) {
            throw new IllegalStateException("pod " + record.name() + " has no network (expected: stage CONNECTED)");
        }
        var run = new PodRun(
                facts(record),
                sandbox,
                record.link.ips().getFirst(),
                parts.sockets(record.node()),
                () -> post(() -> refresh(record)));
        record.run = run;
        record.stage = Stage.STARTED;
        run.start();
    }

    private static void refresh(PodRecord record) {
        var run = record.run;
        if (run != null && record.stage == Stage.STARTED) {
            var before = record.status;
            record.status = run.status();
            if (before.ready() != record.status.ready() || before.phase() != record.status.phase()) {
                LOG.info(
                        "pod={} phase={} ready={} {}",
                        record.name(),
                        record.status.phase(),
                        record.status.ready(),
                        record.status.reason());
            }
        }
    }

    private void join(PodRecord record) {
        LOG.info("pod={} joins the mesh", record.name());
        record.mesh = Mesh.JOINING;
        record.leaving = false;
        enrol(record);
    }

    /// A pod's annotations and those of its namespace that say what is captured.
    private Map<String, String> captureAnnotations(PodRecord record) {
        return CaptureExclusions.inherited(
                record.pod.meta().annotations(),
                namespaceAnnotations.getOrDefault(record.pod.meta().namespace(), Map.of()));
    }

    /// Also brings a pod up to date that is in already.
    private void enrol(PodRecord record) {
        var pod = record.pod;
        record.enrolledWith = captureAnnotations(record);
        parts.enrol(
                record.node(),
                new EnrolledPod(
                        record.uid,
                        pod.meta().name(),
                        pod.meta().namespace(),
                        pod.spec().serviceAccountName(),
                        LabName.netnsPath(record.link.netns()),
                        record.link.ips(),
                        record.enrolledWith,
                        record.stage == Stage.STARTED));
    }

    private void withdraw(PodRecord record) {
        if (record.mesh == Mesh.OUTSIDE && record.stage != Stage.ENDING) { // it may have been asked back meanwhile
            var _ = parts.withdraw(record.node(), record.uid)
                    .whenComplete((_, _) -> post(() -> record.leaving = false));
        }
    }

    private void end(PodRecord record, String reason) {
        if (record.stage == Stage.ENDING) {
            return;
        }
        LOG.info("pod={} ends: {}", record.name(), reason);
        record.stage = Stage.ENDING;
        record.status = new PodStatus(record.status.phase(), false, "it is ending", record.status.containers());
        var run = record.run;
        blocking.execute(() -> {
            try {
                end(record, run);
            } finally { // whatever happens: a pod that is ending for ever would keep its name and addresses
                post(() -> pods.remove(record.uid));
            }
        });
    }

    private void end(PodRecord record, @Nullable PodRun run) {
        long begun = System.nanoTime();
        long stopped = begun;
        try {
            record.created.join(); // or it would be set up behind our back
            if (run != null) {
                run.stop();
            }
            stopped = System.nanoTime();
            parts.withdraw(record.node(), record.uid)
                    .toCompletableFuture()
                    .orTimeout(5, TimeUnit.SECONDS)
                    .join();
        } catch (IOException | RuntimeException | Error e) {
            LOG.warn("pod={} did not end in order", record.name(), e);
        }
        long withdrawn = System.nanoTime();
        try {
            if (!record.pod.spec().hostNetwork()) {
                network.detach(record.link);
            }
            deleteDirectory(record);
        } catch (IOException | RuntimeException | Error e) {
            LOG.warn("pod={} left something behind", record.name(), e);
        }
        LOG.info(
                "pod={} has ended programs.ms={} mesh.ms={} network.ms={}",
                record.name(),
                millis(begun, stopped),
                millis(stopped, withdrawn),
                millis(withdrawn, System.nanoTime()));
    }

    private static long millis(long from, long to) {
        return TimeUnit.NANOSECONDS.toMillis(to - from);
    }

    private static void deleteDirectory(PodRecord record) throws IOException {
        if (!Files.exists(record.directory)) {
            return;
        }
        try (var tree = Files.walk(record.directory)) {
            for (var path : tree.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(path);
            }
        }
    }

    private void publish(List<Plan.Waiting> waiting) {
        var state = new ClusterState(
                serviceAddresses.complete(objects),
                pods.values().stream().map(PodRecord::running).toList());
        var pending = new ArrayList<String>();
        brokenNodes.forEach((node, reason) -> pending.add("node " + node + ": " + reason));
        waiting.forEach(one -> pending.add("pod " + one.pod() + ": " + one.reason()));
        var sandboxes = new HashMap<String, PodSandbox>();
        for (var pod : pods.values()) {
            if (!pod.pending().isEmpty()) {
                pending.add("pod " + pod.name() + ": " + pod.pending());
            }
            if (pod.sandbox != null) {
                sandboxes.put(pod.uid, pod.sandbox);
            }
        }
        // The listener first: who sees a pod in the view may rely on the CA knowing it.
        if (!state.equals(view.state())) {
            listener.changed(state);
        }
        view = new ClusterView(state, pending, sandboxes);
    }

    private String suffix() {
        var random = ThreadLocalRandom.current();
        while (true) {
            var letters = new StringBuilder();
            for (int i = 0; i < 5; i++) {
                letters.append(SUFFIX_LETTERS.charAt(random.nextInt(SUFFIX_LETTERS.length())));
            }
            if (suffixes.add(letters.toString())) {
                return letters.toString();
            }
        }
    }

    /// Stops acting. What runs goes on running until whoever removes the lab ends it; nothing starts again.
    @Override
    public void close() {
        closed = true;
        thread.interrupt();
        blocking.shutdownNow();
        try {
            if (thread.join(LAST_STEP)) { // then what it owned is ours
                pods.values().stream()
                        .flatMap(pod -> Stream.ofNullable(pod.run))
                        .forEach(PodRun::startNoMore);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
