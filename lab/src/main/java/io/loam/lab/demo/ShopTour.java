package io.loam.lab.demo;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.lab.LabException;
import io.loam.lab.capture.Capture;
import io.loam.lab.capture.TcpFlow;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.Consumer;
import java.util.stream.StreamSupport;

/// The steps of the demo, in the order in which they are shown. Each one measures; none takes another's word.
final class ShopTour {
    private static final String WEB = "http://web.shop.svc.cluster.local";
    private static final String WEB_NODE = "alder";
    private static final int HBONE_PORT = 15008;

    /// What the world outside listens on; the supplier's ServiceEntry has the same.
    private static final int OUTSIDE_PORT = 8888;

    /// An address of the world outside that no document names.
    private static final String UNKNOWN = "http://[2001:db8:113::1]:" + OUTSIDE_PORT + "/";

    private static final String SUPPLIER = "supplier.example";

    private final ShopLab shop;
    private final Path policies;
    private final Path outside;
    private final Path faults;
    private final Consumer<String> narrator;
    private final List<Finding> findings = new ArrayList<>();

    @FunctionalInterface
    private interface Step {
        Finding take(String claim) throws IOException, LabException, InterruptedException;
    }

    /// @param samples the directory with `shop-policies`, `shop-outside` and `shop-faults`
    /// @param narrator prints a line
    ShopTour(ShopLab shop, Path samples, Consumer<String> narrator) {
        this.shop = shop;
        this.policies = samples.resolve("shop-policies");
        this.outside = samples.resolve("shop-outside");
        this.faults = samples.resolve("shop-faults");
        this.narrator = narrator;
    }

    Summary show() throws InterruptedException {
        step("before the mesh, a secret is readable on the link", this::readableBefore);
        step("one label takes running processes into the mesh", this::label);
        step("the same call: TLS 1.3, unreadable on the link", this::unreadableAfter);
        step("both ends are named by certificates", this::identities);
        step("the server still sees the caller's address", this::sourceAddress);
        step("a denied caller is refused, by a named rule", this::deniedCaller);
        step("STRICT refuses a caller outside of the mesh", this::strict);
        step("agents are replaced under load, nobody is refused", new UpgradeUnderLoad(shop)::take);
        step("a name that only the mesh knows is resolved by the agent", this::name);
        step("REGISTRY_ONLY refuses what the mesh does not know", this::knownOnly);
        step("'loam why' finds a fault that was planted", this::fault);
        step("'loam prove' shows it on the wire", this::proof); // stays the last
        return new Summary(findings);
    }

    private void step(String claim, Step step) throws InterruptedException {
        narrator.accept("");
        narrator.accept((findings.size() + 1) + ". " + claim);
        Finding finding;
        try {
            finding = step.take(claim);
        } catch (IOException | LabException e) {
            finding = new Finding(claim, "failed: " + e.getMessage(), false);
        }
        narrator.accept("   " + finding.measured());
        narrator.accept("   " + (finding.holds() ? "as announced" : "NOT as announced"));
        findings.add(finding);
    }

    private Finding readableBefore(String claim) throws IOException, LabException, InterruptedException {
        var call = callWithWitness();
        var seen = call.capture();
        var readable = seen.containsPlaintext(call.token());
        return new Finding(
                claim,
                "%s; the cookie is %s in %d packets on %s's link, and so is the answer: %s"
                        .formatted(
                                call.reply(),
                                readable ? "readable" : "not to be found",
                                seen.frames().size(),
                                WEB_NODE,
                                seen.containsPlaintext("\"soap\"") ? "yes" : "no"),
                call.reply().isOk() && readable && seen.containsPlaintext("\"soap\""));
    }

    private Finding label(String claim) throws IOException, LabException, InterruptedException {
        var processes = shop.processes("shop");
        var connection = counterConnection();
        var started = System.nanoTime();
        shop.replace("cluster.yaml", "labels: {}", "labels: {loam.io/dataplane-mode: ambient}");
        shop.await(
                "every pod of namespace shop in the mesh",
                () -> shop.isInMesh("shop") ? Optional.of(true) : Optional.empty());
        var took = Duration.ofNanos(System.nanoTime() - started);
        var processesAfter = shop.processes("shop");
        var connectionAfter = counterConnection();
        var same = processes.equals(processesAfter) && !processes.isEmpty();
        return new Finding(
                claim,
                "%d pods in %d ms; %s; redis connection %s, open since before, %s"
                        .formatted(
                                shop.pods("shop").size(),
                                took.toMillis(),
                                same
                                        ? processes.size() + " processes, same ids and start times"
                                        : "processes changed from " + processes + " to " + processesAfter,
                                connection,
                                connection.equals(connectionAfter) ? "lives on" : "became " + connectionAfter),
                same && connection.equals(connectionAfter));
    }

    private Finding unreadableAfter(String claim) throws IOException, LabException, InterruptedException {
        var call = callWithWitness();
        var seen = call.capture();
        var tls = seen.flowsTo(HBONE_PORT).stream()
                .map(TcpFlow::tls)
                .flatMap(Optional::stream)
                .distinct()
                .toList();
        var readable = seen.containsPlaintext(call.token()) || seen.containsPlaintext("\"soap\"");
        return new Finding(
                claim,
                "%s; %s on port %d; cookie and answer %s in %d packets, %d lost by the witness"
                        .formatted(
                                call.reply(),
                                tls.isEmpty() ? "no TLS" : tls,
                                HBONE_PORT,
                                readable ? "READABLE" : "not to be found",
                                seen.frames().size(),
                                seen.dropped()),
                call.reply().isOk()
                        && !readable
                        && seen.dropped() == 0
                        && !tls.isEmpty()
                        && tls.stream().allMatch(hello -> hello.version().equals("TLSv1.3")));
    }

    private Finding identities(String claim) throws IOException, LabException, InterruptedException {
        var log = shop.agentLogFromNow(WEB_NODE);
        var reply = shop.curl("customer", WEB + "/", newToken());
        var line = shop.await(
                "the connection in the log of " + WEB_NODE + "'s agent",
                () -> log.find(fields -> isInbound(fields, "spiffe://cluster.local/ns/shop/sa/customer")));
        var destination = line.getOrDefault("dst.identity", "nobody");
        return new Finding(
                claim,
                "%s; %s → %s".formatted(reply, line.get("src.identity"), destination),
                reply.isOk() && destination.equals("spiffe://cluster.local/ns/shop/sa/web"));
    }

    private Finding sourceAddress(String claim) throws IOException, LabException {
        var reply = shop.curl("customer", WEB + "/whoami", newToken());
        var own = shop.addressesOf("shop", "customer");
        var holds =
                reply.isOk() && own.contains(InetAddress.getByName(reply.body().strip()));
        return new Finding(
                claim,
                "nginx saw %s; the customer's pod has %s"
                        .formatted(
                                reply.body().strip(),
                                String.join(
                                        " and ",
                                        own.stream()
                                                .map(InetAddress::getHostAddress)
                                                .toList())),
                holds);
    }

    private Finding deniedCaller(String claim) throws IOException, LabException, InterruptedException {
        var before = shop.curl("crawler", WEB + "/", newToken());
        var log = shop.agentLogFromNow(WEB_NODE);
        var started = System.nanoTime();
        shop.add(policies.resolve("no-crawlers.yaml"));
        var refused = shop.await("the crawler refused", () -> refusal("crawler"));
        var took = Duration.ofNanos(System.nanoTime() - started);
        var line = shop.await(
                "the refusal in the log of " + WEB_NODE + "'s agent",
                () -> log.find(fields ->
                        isInbound(fields, "spiffe://cluster.local/ns/shop/sa/crawler") && fields.containsKey("error")));
        var others = shop.curl("customer", WEB + "/", newToken());
        var error = line.getOrDefault("error", "");
        return new Finding(
                claim,
                "crawler: %s before, \"%s\" %d ms after the file appeared; log: %s; customer: %s"
                        .formatted(before, refused, took.toMillis(), error, others),
                before.isOk() && others.isOk() && error.contains("no-crawlers"));
    }

    private Finding strict(String claim) throws IOException, LabException, InterruptedException {
        var before = shop.curl("old-till", WEB + "/", newToken());
        var log = shop.agentLogFromNow(WEB_NODE);
        var started = System.nanoTime();
        shop.add(policies.resolve("mesh-only.yaml"));
        var refused = shop.await("the program outside of the mesh refused", () -> refusal("old-till"));
        var took = Duration.ofNanos(System.nanoTime() - started);
        var line = shop.await(
                "the refusal in the log of " + WEB_NODE + "'s agent",
                () -> log.find(fields -> "inbound".equals(fields.get("direction"))
                        && !fields.containsKey("src.identity")
                        && fields.containsKey("error")));
        var others = shop.curl("customer", WEB + "/", newToken());
        return new Finding(
                claim,
                "old-till: %s before, \"%s\" %d ms after the file appeared; log: %s; customer: %s"
                        .formatted(before, refused, took.toMillis(), line.get("error"), others),
                before.isOk() && others.isOk());
    }

    private Finding name(String claim) throws IOException, LabException, InterruptedException {
        var server = shop.serveOutside(OUTSIDE_PORT);
        try {
            var before = shop.run("customer", "getent", "hosts", SUPPLIER);
            var started = System.nanoTime();
            shop.add(outside.resolve("supplier.yaml"));
            var address = shop.await(SUPPLIER + " resolved", () -> addressOf(SUPPLIER));
            var took = Duration.ofNanos(System.nanoTime() - started);
            var reply = shop.await("an answer of the supplier", () -> answered("http://" + SUPPLIER + "/"));
            return new Finding(
                    claim,
                    "%s: %s before, %s %d ms after the file appeared; a call to it, to a server outside: %s"
                            .formatted(
                                    SUPPLIER,
                                    before.exitCode() == 0 ? before.output().strip() : "no such name",
                                    address,
                                    took.toMillis(),
                                    reply),
                    before.exitCode() != 0);
        } finally {
            server.destroy();
        }
    }

    private Finding knownOnly(String claim) throws IOException, LabException, InterruptedException {
        var server = shop.serveOutside(OUTSIDE_PORT);
        try {
            var before = shop.await("an answer from outside", () -> answered(UNKNOWN));
            var log = shop.agentLogFromNow("birch");
            var started = System.nanoTime();
            shop.add(outside.resolve("known-only.yaml"));
            var refused = shop.await("the world outside refused", () -> refusalOf("customer", UNKNOWN));
            var took = Duration.ofNanos(System.nanoTime() - started);
            var line = shop.await(
                    "the refusal in the log of birch's agent",
                    () -> log.find(fields -> "NOT_IN_REGISTRY".equals(fields.get("code"))));
            var name = shop.run("customer", "getent", "hosts", "elsewhere.example");
            var known = shop.curl("customer", "http://" + SUPPLIER + "/", newToken());
            return new Finding(
                    claim,
                    "%s: %s before, \"%s\" %d ms after the file appeared; log: %s to %s; the name elsewhere.example: %s;"
                                    .formatted(
                                            UNKNOWN,
                                            before,
                                            refused,
                                            took.toMillis(),
                                            line.get("code"),
                                            line.get("dst.addr"),
                                            name.exitCode() == 0 ? "RESOLVED" : "no such name")
                            + " the supplier, which it knows: " + known,
                    known.isOk() && name.exitCode() != 0);
        } finally {
            server.destroy();
        }
    }

    private Finding fault(String claim) throws IOException, LabException, InterruptedException {
        shop.add(faults.resolve("customers-only.yaml"));
        var refused = shop.await("the customer refused", () -> refusal("customer"));
        var why = shop.api().why("customer", "web.shop", false);
        var change = StreamSupport.stream(why.path("changes").spliterator(), false)
                .flatMap(one -> StreamSupport.stream(one.path("steps").spliterator(), false))
                .map(JsonNode::asText)
                .filter(text -> text.contains("customers-only") && text.contains("sa/customer"))
                .findFirst()
                .orElse("nothing");
        shop.replace("customers-only.yaml", "costumer", "customer");
        var mended = shop.await("the customer let in again", () -> answered(WEB + "/"));
        return new Finding(
                claim,
                "customer: \"%s\"; why: %s, %s; to allow: %s; after that edit: %s"
                        .formatted(
                                refused,
                                why.path("verdict").asText(),
                                why.path("branches").path(0).path("code").asText(),
                                change,
                                mended),
                why.path("verdict").asText().equals("refused") && !change.equals("nothing"));
    }

    private Finding proof(String claim) throws LabException {
        var proof = shop.api().prove("customer", "web.shop");
        var wire = proof.path("wire");
        var flow = wire.path("flow");
        var failures = new ArrayList<String>();
        proof.path("failures").forEach(failure -> failures.add(failure.asText()));
        return new Finding(
                claim,
                failures.isEmpty()
                        ? "%s %s, keys by %s; %s and %s, as their agents verified it; marker in %d of %d packets of that link"
                                .formatted(
                                        flow.path("version").asText(),
                                        flow.path("cipherSuite").asText(),
                                        flow.path("keyExchange").asText(),
                                        proof.path("agents")
                                                .path("server")
                                                .path("sawPeer")
                                                .asText(),
                                        proof.path("agents")
                                                .path("client")
                                                .path("sawPeer")
                                                .asText(),
                                        wire.path("packetsWithMarker").asLong(),
                                        wire.path("packets").asLong())
                        : String.join("; ", failures),
                proof.path("proved").asBoolean());
    }

    /// A call that crosses the link twice, to nginx on one node and from there to Python's server on the other.
    ///
    /// @param capture what was seen on the link of nginx's node meanwhile
    private record Call(String token, ShopLab.Reply reply, Capture capture) {}

    private Call callWithWitness() throws IOException, LabException, InterruptedException {
        var token = newToken();
        try (var capture = shop.captureLinkOf(WEB_NODE, "tcp")) {
            var reply = shop.curl("customer", WEB + "/api/products.json", token);
            return new Call(token, reply, capture.stop());
        }
    }

    private Optional<String> addressOf(String host) throws IOException, LabException {
        var found = shop.run("customer", "getent", "ahostsv4", host);
        return found.exitCode() == 0 ? Optional.of(found.output().split("\\s")[0]) : Optional.empty();
    }

    private Optional<ShopLab.Reply> answered(String url) throws IOException, LabException {
        var reply = shop.curl("customer", url, newToken());
        return reply.isOk() ? Optional.of(reply) : Optional.empty();
    }

    private Optional<String> refusal(String pod) throws IOException, LabException {
        return refusalOf(pod, WEB + "/");
    }

    private Optional<String> refusalOf(String pod, String url) throws IOException, LabException {
        var reply = shop.curl(pod, url, newToken());
        return reply.isOk() ? Optional.empty() : Optional.of(reply.toString());
    }

    /// Redis' own number for the connection over which the counter counts; it never gives one out twice.
    private String counterConnection() throws IOException, LabException {
        var clients = shop.run("cache", "redis-cli", "client", "list").output();
        return clients.lines()
                .filter(line -> line.contains(" cmd=incr "))
                .map(line -> line.split(" ")[0])
                .findFirst()
                .orElseThrow(() -> new IOException("redis knows no connection of the counter: " + clients));
    }

    private static boolean isInbound(Map<String, String> fields, String source) {
        return source.equals(fields.get("src.identity")) && "inbound".equals(fields.get("direction"));
    }

    private static String newToken() {
        return UUID.randomUUID().toString();
    }
}
