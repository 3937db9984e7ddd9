package io.loam.it.cni;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.fail;

import io.loam.cni.EnrolledPod;
import io.loam.cni.EnrolmentListener;
import io.loam.cni.NodeEnroller;
import io.loam.cni.NodeEnrollerConfig;
import io.loam.cni.rules.PodRedirection;
import io.loam.cni.rules.PodRules;
import io.loam.it.lab.HazardFigures;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The privileged half from end to end, with a stand-in for the node proxy. The neighbour's namespace plays the node.
class EnrolmentNetnsIT {
    @TempDir
    private Path folder = Path.of("");

    private final Events events = new Events();

    @Test
    void aPodJoinsAndLeavesWithoutATrace() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var proxy = new StandInProxy(socket())) {
            await("the proxy's snapshot", () -> proxy.heard().contains("snapshot"));
            var before = bench.podState();

            enrol(enroller, pod(bench, true));

            assertThat(events.heard).containsExactly("enrolled u1");
            assertThat(proxy.heard()).containsExactly("snapshot", "add u1 shop/cart-1 inode " + inode(bench.podPath()));
            assertThat(bench.podRuleset()).contains("redirect to :15001", "redirect to :15006");
            assertThat(nodeRuleset(bench)).contains("elements = { " + PodBench.POD_V4 + " }", PodBench.POD_V6);

            enroller.withdraw("u1").toCompletableFuture().get(10, TimeUnit.SECONDS);

            assertThat(proxy.heard()).endsWith("del u1");
            assertThat(nodeRuleset(bench)).doesNotContain("elements");
            await("the last rules gone", () -> state(bench).equals(before));
            await("left", () -> events.heard.contains("left u1"));
        }
    }

    /// C11: what redirection needs stays until the last redirected connection has ended.
    @Test
    void aRedirectedConnectionHoldsTheReturnPath() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var proxy = new StandInProxy(socket());
                var outbound = bench.inPod(() -> new EchoServer("outbound-proxy", 15001))) {
            var before = bench.podState();
            enrol(enroller, pod(bench, true));
            try (var client = bench.inPod(() -> new LineClient(PodBench.NEIGHBOUR_V4, 7000))) {
                assertThat(client.ask("one")).isEqualTo("outbound-proxy one");

                enroller.withdraw("u1").toCompletableFuture().get(10, TimeUnit.SECONDS);
                assertThat(client.ask("two")).isEqualTo("outbound-proxy two");
                LockSupport.parkNanos(Duration.ofMillis(1200).toNanos()); // two looks of the watcher
                assertThat(client.ask("three")).isEqualTo("outbound-proxy three");
                assertThat(bench.podRuleset()).contains("istio-ambient-nat").doesNotContain("redirect");
            }
            await("the last rules gone", () -> state(bench).equals(before));
            assertThat(proxy.heard()).contains("del u1");
            assertThat(outbound).isNotNull();
        }
    }

    /// A pod of the same name may get the path of the one before while that one's last connection is waited for.
    @Test
    void aPodThatIsMadeAnewKeepsItsRules() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var _ = new StandInProxy(socket());
                var _ = bench.inPod(() -> new EchoServer("outbound-proxy", 15001))) {
            enrol(enroller, pod(bench, true));
            try (var client = bench.inPod(() -> new LineClient(PodBench.NEIGHBOUR_V4, 7000))) {
                assertThat(client.ask("one")).isEqualTo("outbound-proxy one");
                enroller.withdraw("u1").toCompletableFuture().get(10, TimeUnit.SECONDS);

                bench.remakePod();
                enrol(enroller, pod("u2", bench, true));

                LockSupport.parkNanos(Duration.ofMillis(1200).toNanos()); // two looks of the watcher
                assertThat(bench.podRuleset()).contains("redirect to :15001", "redirect to :15006");
            }
        }
    }

    @Test
    void aPodThatStartsIsCapturedBeforeAnyProxyKnowsIt() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench)) {
            var enrolled = enroller.enrol(pod(bench, false)).toCompletableFuture();
            await("pending", () -> events.heard.stream().anyMatch(e -> e.startsWith("pending u1 no node proxy")));

            assertThat(bench.podRuleset()).contains("redirect to :15001");
            assertThat(enrolled).isNotDone();

            try (var proxy = new StandInProxy(socket())) {
                enrolled.get(10, TimeUnit.SECONDS);
                assertThat(proxy.heard()).anyMatch(line -> line.startsWith("add u1"));
            }
        }
    }

    enum Trouble {
        ABSENT,
        SLOW,
        CRASHING,
        REFUSING
    }

    /// Hazard C1. A container starts when its pod's enrolment has succeeded, as the lab and a CNI plugin do it.
    @ParameterizedTest
    @EnumSource
    void noContainerStartsBeforeAProxyServesItsPod(Trouble trouble) throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench)) {
            var open = new CompletableFuture<Void>();
            var proxies = new ArrayList<StandInProxy>();
            try {
                if (trouble == Trouble.SLOW || trouble == Trouble.REFUSING) {
                    proxies.add(new StandInProxy(socket()));
                    proxies.getFirst().answersAfter(open);
                    proxies.getFirst().refuseWith(trouble == Trouble.REFUSING ? "no room" : "");
                }
                var captured = new CopyOnWriteArrayList<Boolean>(); // one entry for each container that started
                enroller.enrol(pod(bench, false)).thenRun(() -> captured.add(isCaptured(bench)));
                switch (trouble) {
                    case ABSENT -> await("two tries", () -> pending("no node proxy") > 1);
                    case SLOW -> {
                        await("an offer", () -> offers(proxies) > 0);
                        assertThat(captured).isEmpty();
                        open.complete(null);
                    }
                    case CRASHING -> {
                        for (int crashes = 1; crashes <= 3; crashes++) {
                            var proxy = new StandInProxy(socket());
                            proxy.diesOfTheNextAdd();
                            proxies.add(proxy);
                            int offers = crashes;
                            await("offer " + crashes, () -> offers(proxies) >= offers);
                            assertThat(captured).isEmpty();
                        }
                    }
                    case REFUSING -> {
                        open.complete(null);
                        await("two refusals", () -> offers(proxies) > 1);
                        assertThat(captured).isEmpty();
                        proxies.getFirst().refuseWith("");
                    }
                }
                assertThat(isCaptured(bench)).isTrue();
                if (trouble == Trouble.ABSENT || trouble == Trouble.CRASHING) {
                    assertThat(captured).isEmpty();
                    proxies.add(new StandInProxy(socket()));
                }

                await("the container to start", () -> !captured.isEmpty());

                assertThat(captured).containsExactly(true);
                HazardFigures.reached(
                        "C1",
                        "agent %s: the container waits, with the rules in place, and starts when the agent has the pod"
                                .formatted(trouble.name().toLowerCase(Locale.ROOT)));
            } finally {
                proxies.forEach(StandInProxy::close);
            }
        }
    }

    private long pending(String reason) {
        return events.heard.stream()
                .filter(event -> event.startsWith("pending u1 " + reason))
                .count();
    }

    private static long offers(List<StandInProxy> proxies) {
        return proxies.stream()
                .flatMap(proxy -> proxy.heard().stream())
                .filter(line -> line.startsWith("add u1"))
                .count();
    }

    private static boolean isCaptured(PodBench bench) {
        try {
            return bench.podRuleset().contains("redirect to :15001");
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    /// A running pod must not be cut off while nobody is there to carry its traffic.
    @Test
    void aRunningPodIsLeftAloneUntilAProxyHasIt() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench)) {
            var enrolled = enroller.enrol(pod(bench, true)).toCompletableFuture();
            await("pending", () -> events.heard.stream().anyMatch(e -> e.startsWith("pending u1 no node proxy")));

            assertThat(bench.podRuleset()).isEmpty();

            try (var proxy = new StandInProxy(socket())) {
                enrolled.get(10, TimeUnit.SECONDS);
                assertThat(bench.podRuleset()).contains("redirect to :15001");
                assertThat(proxy.heard()).anyMatch(line -> line.startsWith("add u1"));
            }
        }
    }

    @Test
    void whatTheProxyRefusesIsOfferedAgain() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var proxy = new StandInProxy(socket())) {
            proxy.refuseWith("no room");
            await("the proxy's snapshot", () -> proxy.heard().contains("snapshot"));
            var enrolled = enroller.enrol(pod(bench, true)).toCompletableFuture();
            await(
                    "two refusals",
                    () -> proxy.heard().stream()
                                    .filter(l -> l.endsWith("refused"))
                                    .count()
                            >= 2);
            assertThat(events.heard).contains("pending u1 the node proxy refused the pod: no room");

            proxy.refuseWith("");

            enrolled.get(10, TimeUnit.SECONDS);
            assertThat(events.heard).endsWith("enrolled u1");
        }
    }

    /// Two proxies during an upgrade: Add goes to the newest, Del to both, and the newest hears of every pod first.
    @Test
    void aSecondProxyTakesOver() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var old = new StandInProxy(socket())) {
            await("the old proxy", () -> old.heard().contains("snapshot"));
            enrol(enroller, pod(bench, true));
            try (var next = new StandInProxy(socket())) {
                await("the new proxy", () -> next.heard().contains("snapshot"));
                assertThat(next.heard())
                        .containsExactly("add u1 shop/cart-1 inode " + inode(bench.podPath()), "snapshot");
                assertThat(old.heard()).hasSize(2);

                enroller.withdraw("u1").toCompletableFuture().get(10, TimeUnit.SECONDS);

                assertThat(old.heard()).endsWith("del u1");
                assertThat(next.heard()).endsWith("del u1");
            }
        }
    }

    /// Restart of the privileged half: rules and connections stay, the successor tells the proxy of the same pod.
    @Test
    void aSuccessorFindsItsWay() throws Exception {
        try (var bench = new PodBench()) {
            String rules;
            try (var enroller = start(bench);
                    var proxy = new StandInProxy(socket())) {
                enrol(enroller, pod(bench, true));
                rules = bench.podRuleset();
                assertThat(proxy.heard()).isNotEmpty();
            }
            assertThat(bench.podRuleset()).isEqualTo(rules);

            try (var enroller = start(bench);
                    var proxy = new StandInProxy(socket())) {
                enrol(enroller, pod(bench, true));

                assertThat(bench.podRuleset()).isEqualTo(rules);
                assertThat(proxy.heard()).anyMatch(line -> line.startsWith("add u1"));
            }
        }
    }

    /// What an enroller may find in a running pod when it starts.
    enum Found {
        WHOLE,
        NOTHING,
        HALF,
        NO_RETURN_PATH,
        OF_OTHER_ANNOTATIONS
    }

    /// Hazard C2, as far as it concerns the enroller: after its start every pod of the node is compared and repaired.
    @Test
    void aSuccessorRepairsWhatItFinds() throws Exception {
        try (var bench = new PodBench()) {
            String rules;
            try (var enroller = start(bench);
                    var _ = new StandInProxy(socket())) {
                enrol(enroller, pod(bench, true));
                rules = bench.podState();
            }
            for (var found : Found.values()) {
                switch (found) {
                    case WHOLE -> {}
                    case NOTHING -> {
                        PodBench.run(bench.insidePod(), "nft flush ruleset");
                        noReturnPath(bench);
                    }
                    case HALF -> PodBench.run(bench.insidePod(), "nft flush chain inet istio-ambient-nat prerouting");
                    case NO_RETURN_PATH -> noReturnPath(bench);
                    case OF_OTHER_ANNOTATIONS ->
                        new PodRedirection(bench.insidePod()).apply(new PodRules(false, true, List.of(), true));
                }
                if (found != Found.WHOLE) {
                    assertThat(bench.podState()).as("%s", found).isNotEqualTo(rules);
                }
                try (var enroller = start(bench);
                        var _ = new StandInProxy(socket())) {
                    enrol(enroller, pod(bench, true));

                    assertThat(bench.podState()).as("%s", found).isEqualTo(rules);
                }
            }
            HazardFigures.reached(
                    "C2",
                    "a pod with its rules, without, with half of them, without their return path, with others: 5 of 5"
                            + " repaired by the enroller that starts; the order of a boot comes with the CNI plugin");
        }
    }

    private static void noReturnPath(PodBench bench) throws Exception {
        for (var family : List.of("-4", "-6")) {
            PodBench.run(bench.insidePod(), "ip " + family + " rule del pref 32764");
            PodBench.run(bench.insidePod(), "ip " + family + " route flush table 100");
        }
    }

    /// C11: a pod that ends releases its namespace; we hold no descriptor that keeps it alive.
    @Test
    void aPodThatEndsIsForgotten() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var proxy = new StandInProxy(socket())) {
            await("the proxy's snapshot", () -> proxy.heard().contains("snapshot"));
            enrol(enroller, pod(bench, true));
            var inode = inode(bench.podPath());

            bench.deletePod();
            enroller.withdraw("u1").toCompletableFuture().get(10, TimeUnit.SECONDS);

            assertThat(proxy.heard()).endsWith("del u1");
            assertThat(openDescriptors()).noneMatch(target -> target.equals("net:[" + inode + "]"));
        }
    }

    @Test
    void aPodThatComesBackWhileItLeavesStays() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var proxy = new StandInProxy(socket())) {
            enrol(enroller, pod(bench, true));
            var rules = bench.podRuleset();
            for (int round = 0; round < 5; round++) {
                enroller.withdraw("u1");
                enrol(enroller, pod(bench, true));
            }

            assertThat(bench.podRuleset()).isEqualTo(rules);
            assertThat(nodeRuleset(bench)).contains(PodBench.POD_V4);
            assertThat(proxy.heard().getLast()).startsWith("add u1");
        }
    }

    @Test
    void anUnreadableAnnotationIsNamed() throws Exception {
        try (var bench = new PodBench();
                var enroller = start(bench);
                var proxy = new StandInProxy(socket())) {
            assertThat(proxy).isNotNull();
            enroller.enrol(new EnrolledPod(
                    "u1",
                    "cart-1",
                    "shop",
                    "cart",
                    bench.podPath(),
                    List.of(),
                    Map.of("loam.io/reroute-virtual-interfaces", "a\"; flush ruleset"),
                    false));

            await(
                    "pending",
                    () -> events.heard.stream()
                            .anyMatch(e -> e.startsWith("pending u1 loam.io/reroute-virtual-interfaces: ")));
            assertThat(bench.podRuleset()).isEmpty();
        }
    }

    private NodeEnroller start(PodBench bench) throws Exception {
        return NodeEnroller.start(NodeEnrollerConfig.defaults("node-1", socket(), bench.neighbourPath()), events);
    }

    private Path socket() {
        return folder.resolve("zds.sock");
    }

    private static void enrol(NodeEnroller enroller, EnrolledPod pod) throws Exception {
        enroller.enrol(pod).toCompletableFuture().get(10, TimeUnit.SECONDS);
    }

    private static EnrolledPod pod(PodBench bench, boolean running) throws Exception {
        return pod("u1", bench, running);
    }

    private static EnrolledPod pod(String uid, PodBench bench, boolean running) throws Exception {
        return new EnrolledPod(
                uid,
                "cart-1",
                "shop",
                "cart",
                bench.podPath(),
                List.of(InetAddress.getByName(PodBench.POD_V4), InetAddress.getByName(PodBench.POD_V6)),
                Map.of(),
                running);
    }

    private static String nodeRuleset(PodBench bench) throws Exception {
        return bench.inNeighbour(() -> new String(
                new ProcessBuilder("nft", "list", "ruleset")
                        .start()
                        .getInputStream()
                        .readAllBytes(),
                StandardCharsets.UTF_8));
    }

    private static String state(PodBench bench) {
        try {
            return bench.podState();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static long inode(Path netns) throws Exception {
        return (long) Files.getAttribute(netns, "unix:ino");
    }

    private static List<String> openDescriptors() throws Exception {
        try (var files = Files.list(Path.of("/proc/self/fd"))) {
            return files.map(EnrolmentNetnsIT::target).toList();
        }
    }

    private static String target(Path link) {
        try {
            return Files.readSymbolicLink(link).toString();
        } catch (IOException _) { // closed meanwhile: the listing's own descriptor, for one
            return "";
        }
    }

    private void await(String what, BooleanSupplier condition) {
        var deadline = System.nanoTime() + Duration.ofSeconds(10).toNanos();
        while (!condition.getAsBoolean()) {
            if (System.nanoTime() > deadline) {
                fail(what + ": not within 10 s; heard " + events.heard);
            }
            LockSupport.parkNanos(Duration.ofMillis(10).toNanos());
        }
    }

    private static final class Events implements EnrolmentListener {
        private final List<String> heard = new CopyOnWriteArrayList<>();

        @Override
        public void enrolled(String uid) {
            heard.add("enrolled " + uid);
        }

        @Override
        public void pending(String uid, String reason) {
            heard.add("pending " + uid + " " + reason);
        }

        @Override
        public void left(String uid) {
            heard.add("left " + uid);
        }
    }
}
