package io.loam.lab.control;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.cluster.RunningPod.Owner;
import io.loam.config.cluster.RunningPod.Phase;
import io.loam.config.object.DeploymentObject;
import io.loam.config.object.MeshObject;
import io.loam.config.object.PodObject;
import io.loam.lab.control.PodView.Mesh;
import io.loam.lab.control.PodView.Stage;
import io.loam.model.enrolment.Enrolment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class PlannerTest {
    private static final String NODES = """
            apiVersion: v1
            kind: Node
            metadata: {name: one, labels: {zone: a}}
            ---
            apiVersion: v1
            kind: Node
            metadata: {name: two, labels: {zone: b}}
            ---
            """;

    private static final MeshRule RULE = (pod, namespace) -> Enrolment.decide(
                    pod.meta().labels(),
                    pod.meta().annotations(),
                    pod.meta().namespace(),
                    namespace == null ? Map.of() : namespace.meta().labels(),
                    pod.spec().hostNetwork())
            .enrolled();

    private final List<PodView> running = new ArrayList<>();
    private final AtomicInteger suffix = new AtomicInteger();

    @Test
    void nodesComeBeforePods() {
        var plan = plan(NODES + pod("a", ""), Set.of());

        assertThat(plan.actions()).containsExactly(new Action.AddNode("one"), new Action.AddNode("two"));
        assertThat(plan.waiting()).extracting(Plan.Waiting::reason).containsExactly("its node is not set up yet");
    }

    @Test
    void podsGoWhereTheFewestAre() {
        assertThat(nodesOf(plan(NODES + pod("a", "") + pod("b", "") + pod("c", ""))))
                .containsExactly("one", "two", "one");
    }

    @Test
    void nodeNameAndNodeSelectorDecide() {
        var plan = plan(NODES
                + pod("a", "nodeName: two")
                + pod("b", "nodeSelector: {zone: b}")
                + pod("c", "nodeSelector: {zone: nowhere}"));

        assertThat(nodesOf(plan)).containsExactly("two", "two");
        assertThat(plan.waiting()).extracting(Plan.Waiting::pod).containsExactly("default/c");
    }

    /// Valid Kubernetes, as in the documents that users have: the program is in the image, which a lab has not.
    @Test
    void aPodWithoutACommandIsNotStartedAndHoldsNobodyUp() {
        var image = """
                ---
                apiVersion: apps/v1
                kind: Deployment
                metadata: {name: hello-v1}
                spec:
                  replicas: 2
                  selector: {matchLabels: {app: hello}}
                  template:
                    metadata: {labels: {app: hello}}
                    spec: {containers: [{name: hello, image: hashicorp/http-echo, args: ["-text=Hello from v1"]}]}
                """;
        var plan = plan(NODES + pod("a", "") + image);

        assertThat(nodesOf(plan)).containsExactly("one");
        assertThat(plan.waiting()).isEmpty();
    }

    @Test
    void aPodThatIsNoLongerWrittenEnds() {
        run(NODES + pod("a", ""));

        assertThat(plan(NODES).actions()).singleElement().isInstanceOf(Action.End.class);
    }

    @Test
    void aChangedSpecReplacesThePodOnceTheOldOneIsGone() {
        run(NODES + pod("a", ""));
        var changed = NODES + pod("a", "terminationGracePeriodSeconds: 3");

        assertThat(plan(changed).actions()).singleElement().isInstanceOf(Action.End.class);
        set(0, Stage.ENDING, false, Mesh.OUTSIDE);
        assertThat(plan(changed).actions()).isEmpty();
        running.clear();
        assertThat(plan(changed).actions()).singleElement().isInstanceOf(Action.Create.class);
    }

    @Test
    void changedLabelsTouchNoProcess() {
        run(NODES + pod("a", ""));

        var plan = plan(NODES + pod("a", "").replace("name: a,", "name: a, labels: {x: y},"));

        assertThat(plan.actions()).singleElement().isInstanceOf(Action.Relabel.class);
    }

    @Test
    void aPodOfTheMeshStartsOnlyWhenItIsCaptured() {
        var files = NODES + namespace("ambient") + pod("a", "");
        run(files);
        set(0, Stage.CONNECTED, false, Mesh.OUTSIDE);
        assertThat(plan(files).actions()).containsExactly(new Action.Join("uid-0"));

        set(0, Stage.CONNECTED, false, Mesh.JOINING);
        assertThat(plan(files).actions()).isEmpty();

        set(0, Stage.CONNECTED, false, Mesh.INSIDE);
        assertThat(plan(files).actions()).containsExactly(new Action.StartContainers("uid-0"));
    }

    @Test
    void theNamespacesLabelTakesRunningPodsInAndOut() {
        run(NODES + pod("a", ""));

        assertThat(plan(NODES + namespace("ambient") + pod("a", "")).actions())
                .containsExactly(new Action.Join("uid-0"));
        set(0, Stage.STARTED, true, Mesh.INSIDE);
        assertThat(plan(NODES + pod("a", "")).actions()).containsExactly(new Action.Leave("uid-0"));
    }

    @Test
    void aPodsNewLabelCountsAtOnce() {
        run(NODES + namespace("ambient") + pod("a", ""));
        set(0, Stage.STARTED, true, Mesh.INSIDE);

        var out = plan(NODES
                + namespace("ambient")
                + pod("a", "").replace("name: a,", "name: a, labels: {loam.io/dataplane-mode: none},"));

        assertThat(out.actions())
                .extracting(Object::getClass)
                .containsExactly(Action.Relabel.class, Action.Leave.class);
    }

    @Test
    void aRollingUpdateStartsTheNewPodBeforeTheOldOneEnds() {
        run(NODES + deployment(1, "v1"));
        var changed = NODES + deployment(1, "v2");

        assertThat(plan(changed).actions()).singleElement().isInstanceOf(Action.Create.class);
        perform(plan(changed));
        set(1, Stage.STARTED, false, Mesh.OUTSIDE);
        assertThat(plan(changed).actions()).as("new one not ready").isEmpty();
        set(1, Stage.STARTED, true, Mesh.OUTSIDE);
        assertThat(plan(changed).actions()).containsExactly(new Action.End("uid-0", "its template changed"));
    }

    @Test
    void replicasFollowTheFile() {
        run(NODES + deployment(1, "v1"));

        assertThat(plan(NODES + deployment(3, "v1")).actions()).hasSize(2).allMatch(Action.Create.class::isInstance);
        assertThat(plan(NODES + deployment(0, "v1")).actions()).singleElement().isInstanceOf(Action.End.class);
        assertThat(plan(NODES).actions()).singleElement().isInstanceOf(Action.End.class);
    }

    @Test
    void ofTwoPodsThatAskForOneAddressTheSecondWaits() {
        var fixed = pod("a", "").replace("name: a,", "name: a, annotations: {loam.io/pod-ip: 10.244.9.9},");

        var plan = plan(NODES + fixed + fixed.replace("name: a,", "name: b,"));

        assertThat(plan.actions()).hasSize(1);
        assertThat(plan.waiting()).containsExactly(new Plan.Waiting("default/b", "address 10.244.9.9 is taken"));
    }

    private Plan plan(String yaml) {
        return plan(yaml, Set.of("one", "two"));
    }

    private Plan plan(String yaml, Set<String> nodes) {
        var objects = objects(yaml);
        return Planner.plan(objects, running, nodes, RULE, () -> "s" + suffix.incrementAndGet());
    }

    private static List<MeshObject> objects(String yaml) {
        var read = new ConfigReader().readText(yaml, Path.of("test.yaml"));
        assertThat(read.rejected()).as("%s", read.problems()).isEmpty();
        return read.objects();
    }

    private void run(String yaml) {
        perform(plan(yaml));
        for (int i = 0; i < running.size(); i++) {
            set(i, Stage.STARTED, true, Mesh.OUTSIDE);
        }
    }

    private void perform(Plan plan) {
        for (var action : plan.actions()) {
            if (action
                    instanceof
                    Action.Create(PodObject pod, Owner owner, DeploymentObject.PodTemplate template, String node)) {
                running.add(new PodView(
                        "uid-" + running.size(),
                        pod,
                        owner,
                        template,
                        node,
                        List.of(),
                        Stage.CREATING,
                        Phase.PENDING,
                        false,
                        Mesh.OUTSIDE));
            }
        }
    }

    private void set(int index, Stage stage, boolean ready, Mesh mesh) {
        var old = running.get(index);
        running.set(
                index,
                new PodView(
                        old.uid(),
                        old.pod(),
                        old.owner(),
                        old.template(),
                        old.node(),
                        old.ips(),
                        stage,
                        Phase.RUNNING,
                        ready,
                        mesh));
    }

    private static List<String> nodesOf(Plan plan) {
        return plan.actions().stream()
                .filter(Action.Create.class::isInstance)
                .map(action -> ((Action.Create) action).node())
                .toList();
    }

    private static String pod(String name, String spec) {
        return """
                apiVersion: v1
                kind: Pod
                metadata: {name: %s, namespace: default}
                spec:
                  containers: [{name: main, command: [sleep, infinity]}]
                  %s
                ---
                """.formatted(name, spec);
    }

    private static String namespace(String mode) {
        return """
                apiVersion: v1
                kind: Namespace
                metadata: {name: default, labels: {istio.io/dataplane-mode: %s}}
                ---
                """.formatted(mode);
    }

    private static String deployment(int replicas, String version) {
        return """
                apiVersion: apps/v1
                kind: Deployment
                metadata: {name: web, namespace: default}
                spec:
                  replicas: %d
                  selector: {matchLabels: {app: web}}
                  template:
                    metadata: {labels: {app: web, version: %s}}
                    spec:
                      containers: [{name: main, command: [sleep, infinity]}]
                ---
                """.formatted(replicas, version);
    }
}
