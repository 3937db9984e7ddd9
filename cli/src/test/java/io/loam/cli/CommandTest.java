package io.loam.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.cli.lab.FakeLab;
import io.loam.cli.lab.LabDirectory;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The command line from the words to the output, against a lab of canned answers.
final class CommandTest {
    private static final String PODS = """
            [{"namespace": "shop", "name": "web-1", "ready": true, "phase": "Running", "node": "a",
              "ips": ["10.244.1.2", "fd00:244:1::2"], "mesh": "captured", "labels": {"app": "web"}},
             {"namespace": "shop", "name": "api-1", "ready": false, "phase": "Pending", "node": "b", "ips": []}]""";

    @TempDir
    private Path root;

    private LabDirectory labs;
    private final StringWriter out = new StringWriter();
    private final StringWriter err = new StringWriter();

    @BeforeEach
    void setUp() {
        labs = new LabDirectory(root);
    }

    private int run(String... args) {
        return Main.commandLine(labs, args)
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(args);
    }

    @Test
    void listsPodsAsAlignedTable() throws IOException {
        try (var _ = new FakeLab(labs, "default", Map.of("/pods", PODS))) {
            assertThat(run("get", "pods")).isZero();
        }
        assertThat(out.toString()).isEqualTo("""
                NAMESPACE   NAME    READY   PHASE     NODE   IPS                        MESH
                shop        web-1   yes     Running   a      10.244.1.2,fd00:244:1::2   captured
                shop        api-1   no      Pending   b      -                          -
                """);
    }

    @Test
    void listsPodsAsYaml() throws IOException {
        try (var _ = new FakeLab(labs, "default", Map.of("/pods", PODS))) {
            assertThat(run("get", "pods", "-o", "yaml")).isZero();
        }
        assertThat(out.toString()).startsWith("- namespace: shop\n  name: web-1\n  ready: true\n");
    }

    @Test
    void exitCodeOfWhyTellsRefusedFromUnansweredFromUnexpected() throws IOException {
        var refused = "{\"verdict\": \"refused\", \"branches\": [], \"probe\": {\"agrees\": true}}";
        var path = "/why?from=a&to=b%3A80";
        var probe = path + "&probe=true";
        try (var _ = new FakeLab(labs, "default", Map.of(path, refused, probe, refused))) {
            assertThat(run("why", "a", "b:80")).isEqualTo(1);
            assertThat(run("why", "a", "b:80", "--probe")).isEqualTo(1);
        }
        try (var _ = new FakeLab(labs, "default", Map.of(probe, refused.replace("true", "false")))) {
            assertThat(run("why", "a", "b:80", "--probe")).isEqualTo(3);
        }
        try (var _ = new FakeLab(labs, "default", Map.of(path, refused.replace("refused", "allowed")))) {
            assertThat(run("why", "a", "b:80")).isZero();
        }
        try (var _ = new FakeLab(labs, "default", Map.of())) {
            assertThat(run("why", "a", "b:80")).isEqualTo(2);
        }
    }

    @Test
    void exitCodeOfProveTellsNotProvedFromNotTried() throws IOException {
        var path = "/prove?from=a&to=b";
        var fails = "{\"proved\": false, \"failures\": [\"PLAINTEXT: somewhere\"]}";
        try (var _ = new FakeLab(labs, "default", Map.of(path, fails))) {
            assertThat(run("prove", "a", "b")).isEqualTo(1);
            assertThat(out.toString()).contains("missing    PLAINTEXT: somewhere", "proof      FAILS");
        }
        try (var _ = new FakeLab(labs, "default", Map.of(path, "{\"proved\": true}"))) {
            assertThat(run("prove", "a", "b", "--json")).isZero();
            assertThat(out.toString()).endsWith("{\n  \"proved\" : true\n}\n");
        }
        try (var _ = new FakeLab(labs, "default", Map.of())) {
            assertThat(run("prove", "a", "b")).isEqualTo(2);
        }
    }

    @Test
    void explainsACodeAndListsAll() {
        assertThat(run("explain", "policy_denied")).isZero();
        assertThat(out.toString()).startsWith("POLICY_DENIED\n").contains("Likely causes:", "loam why A B:PORT");
        assertThat(run("explain")).isZero();
        assertThat(out.toString()).contains("TUNNEL_TIMEOUT ");
        assertThat(run("explain", "NOTHING_SUCH")).isEqualTo(2);
    }

    @Test
    void takesTheOnlyLabThatRuns() throws IOException {
        try (var _ = new FakeLab(labs, "other", Map.of("/pods", PODS))) {
            assertThat(run("get", "pods", "-o", "json")).isZero();
        }
        assertThat(out.toString()).contains("\"web-1\"");
    }

    @Test
    void asksWhichOfSeveralLabsIsMeant() throws IOException {
        try (var _ = new FakeLab(labs, "one", Map.of());
                var _ = new FakeLab(labs, "two", Map.of())) {
            assertThat(run("get", "pods")).isEqualTo(2);
        }
        assertThat(err.toString()).contains("--lab one|two");
    }

    @Test
    void saysHowToStartWhenNothingRuns() {
        assertThat(run("get", "pods")).isEqualTo(1);
        assertThat(err.toString()).isEqualTo("loam: no lab is running: start one with 'loam up FILE'\n");
    }

    /// Killed with -9: its record is still there, its process is not.
    @Test
    void doesNotTakeTheRecordOfADeadLabForALab() throws IOException {
        FakeLab.announce(labs, "default", Long.MAX_VALUE, 1);

        assertThat(run("get", "pods", "--lab", "default")).isEqualTo(1);
        assertThat(err.toString()).contains("no lab 'default' is running");
    }

    @Test
    void passesOnWhatTheLabRefuses() throws IOException {
        try (var _ = new FakeLab(labs, "default", Map.of())) {
            assertThat(run("logs", "nobody")).isEqualTo(1);
        }
        assertThat(err.toString()).isEqualTo("loam: no such thing here\n");
    }

    @Test
    void runsACommandBehindTheEntryAndReturnsItsExitCode() throws IOException {
        var answers = Map.of("/exec?pod=shop%2Fweb-1", "{\"argv\": [\"env\", \"-i\"]}");
        try (var _ = new FakeLab(labs, "default", answers)) {
            assertThat(run("exec", "shop/web-1", "--", "/bin/sh", "-c", "exit 7"))
                    .isEqualTo(7);
        }
    }

    @Test
    void printsProblemsAndFailsWhenOneIsAnError() throws IOException {
        var text = "shop.yaml:3: AuthorizationPolicy shop/web: spec.rules[0].from[0].source.ipBlocks[0]: 10.0.0.0/99"
                + " (expected: CIDR)";
        var answers = Map.of("/problems", "[{\"severity\": \"ERROR\", \"text\": \"" + text + "\"}]");
        try (var _ = new FakeLab(labs, "default", answers)) {
            assertThat(run("problems")).isEqualTo(1);
        }
        assertThat(out.toString()).isEqualTo("error: " + text + "\n");
    }

    @Test
    void refusesToStartALabTwice() throws IOException {
        var file = Files.writeString(root.resolve("shop.yaml"), "");
        try (var _ = new FakeLab(labs, "default", Map.of())) {
            assertThat(run("up", file.toString())).isEqualTo(2);
        }
        assertThat(err.toString()).contains("lab 'default' is running already");
    }

    @Test
    void refusesAFileThatIsNotThere() {
        assertThat(run("up", root.resolve("nothing.yaml").toString())).isEqualTo(2);
        assertThat(err.toString()).contains("nothing.yaml: no such file");
    }

    @Test
    void refusesANameTheKernelCannotCarry() throws IOException {
        var file = Files.writeString(root.resolve("shop.yaml"), "");

        assertThat(run("up", file.toString(), "--name", "Much_too_long_for_a_link"))
                .isEqualTo(2);
        assertThat(err.toString()).contains("expected: 1 to 12 of a-z");
    }

    // --- what agents know ---

    private static final String DUMPS = """
            {"alder": {
               "workloads": [{"uid": "u1", "name": "web-1", "namespace": "shop", "node": "alder", "trustDomain": "td",
                 "serviceAccount": "web", "workloadIps": ["10.244.1.2"], "protocol": "HBONE", "status": "Healthy",
                 "authorizationPolicies": ["shop/picked"], "services": ["shop/web.shop.svc"]}],
               "services": [{"namespace": "shop", "name": "web", "hostname": "web.shop.svc", "vips": ["/10.96.0.1"],
                 "ports": {"80": 8080}, "endpoints": {"u1": {}}}],
               "policies": [
                 {"namespace": "shop", "name": "picked", "scope": "WorkloadSelector", "action": "Deny",
                  "dryRun": false, "rules": [[]]},
                 {"namespace": "shop", "name": "all", "scope": "Namespace", "action": "Allow", "dryRun": true,
                  "rules": []},
                 {"namespace": "shop", "name": "other", "scope": "WorkloadSelector", "action": "Deny",
                  "dryRun": false, "rules": []},
                 {"namespace": "far", "name": "away", "scope": "Namespace", "action": "Deny", "dryRun": false,
                  "rules": []}],
               "certificates": [{"identity": "spiffe://td/ns/shop/sa/web", "state": "Available",
                 "certChain": [{"serialNumber": "4711", "validFrom": "2026-01-01T00:00:00Z",
                                "expirationTime": "2026-01-02T00:00:00Z"}],
                 "rootCerts": [{"serialNumber": "1"}]}]},
             "birch": {"error": "does not answer: Connection refused"}}""";

    private static final String CONNECTIONS = """
            {"alder": [{"pod": "shop/web-1", "direction": "inbound", "source": "10.244.2.2:4000",
               "destination": "10.244.1.2:15008", "sourceIdentity": "spiffe://td/ns/shop/sa/customer",
               "destinationIdentity": "spiffe://td/ns/shop/sa/web", "service": "web.shop.svc", "protocol": "HBONE",
               "bytesSent": 7, "bytesReceived": 9, "durationMillis": 61500}],
             "birch": {"error": "does not answer: Connection refused"}}""";

    private FakeLab agents() throws IOException {
        return new FakeLab(
                labs,
                "default",
                Map.of("/agents/config_dump", DUMPS, "/agents/connections", CONNECTIONS, "/workloads", "[]"));
    }

    @Test
    void listsWhatAgentsKnowAndSaysWhichDidNotAnswer() throws IOException {
        try (var _ = agents()) {
            assertThat(run("get", "certificates")).isEqualTo(1);
        }
        assertThat(out.toString()).isEqualTo("""
                AGENT   IDENTITY                     STATE       EXPIRES                SERIAL
                alder   spiffe://td/ns/shop/sa/web   Available   2026-01-02T00:00:00Z   4711
                """);
        assertThat(err.toString()).isEqualTo("agent birch: does not answer: Connection refused\n");
    }

    @Test
    void anAgentAloneIsAskedAlone() throws IOException {
        try (var _ = agents()) {
            assertThat(run("get", "connections", "--agent", "alder")).isZero();
        }
        assertThat(out.toString()).isEqualTo("""
                AGENT   POD          DIRECTION   SOURCE            DESTINATION        BYTES-SENT   BYTES-RECEIVED   \
                DURATION   IDENTITY
                alder   shop/web-1   inbound     10.244.2.2:4000   10.244.1.2:15008   7            9                \
                1m01s      spiffe://td/ns/shop/sa/customer
                """);
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void listsPoliciesServicesAndWorkloadsOfAnAgent() throws IOException {
        try (var _ = agents()) {
            assertThat(run("get", "policies", "--agent", "alder")).isZero();
            assertThat(run("get", "services", "--agent", "alder")).isZero();
            assertThat(run("get", "workloads", "--agent", "alder", "-o", "wide"))
                    .isZero();
        }
        assertThat(out.toString().lines().map(line -> line.replaceAll(" +", " ")))
                .contains(
                        "shop all Namespace Allow yes 0 alder",
                        "shop picked WorkloadSelector Deny no 1 alder",
                        "shop web ClusterIP 10.96.0.1 80->8080 1",
                        "shop web-1 alder 10.244.1.2 HBONE Healthy spiffe://td/ns/shop/sa/web shop/web.shop.svc u1");
    }

    @Test
    void describesAWorkloadWithWhatAppliesToIt() throws IOException {
        try (var _ = agents()) {
            assertThat(run("describe", "workload", "web-1", "--agent", "alder")).isZero();
        }
        assertThat(out.toString())
                .contains("identity: spiffe://td/ns/shop/sa/web", "name: picked", "name: all", "serial: '4711'")
                .contains("source: 10.244.2.2:4000")
                .doesNotContain("name: other", "name: away");
    }

    @Test
    void describesTheOtherKinds() throws IOException {
        try (var _ = agents()) {
            assertThat(run("describe", "service", "web.shop.svc", "--agent", "alder"))
                    .isZero();
            assertThat(run("describe", "policies", "shop/all", "--agent", "alder", "-o", "json"))
                    .isZero();
            assertThat(run("describe", "certificate", "shop/sa/web", "--agent", "alder"))
                    .isZero();
            assertThat(run("describe", "connection", "10.244.2.2:4000", "--agent", "alder"))
                    .isZero();
        }
        assertThat(out.toString()).contains("hostname: web.shop.svc", "\"shop/web-1\"", "- shop/web-1", "1m01s");
    }

    @Test
    void saysWhatThereIsWhereANameFindsNothing() throws IOException {
        try (var _ = agents()) {
            assertThat(run("describe", "policy", "ghost", "--agent", "alder")).isEqualTo(1);
            assertThat(run("get", "policies", "--agent", "oak")).isEqualTo(1);
            assertThat(run("get", "pods", "--agent", "alder")).isEqualTo(2);
        }
        assertThat(err.toString()).isEqualTo("""
                        loam: no policy 'ghost' (there are: far/away, shop/all, shop/other, shop/picked)
                        loam: no node 'oak' (there are: alder, birch)
                        loam: agents do not list pods
                        """);
    }

    @Test
    void replacesTheAgentsOfAllNodesOneAfterTheOther() throws IOException {
        var answers = Map.of(
                "/agents/connections", "{\"alder\": {}, \"birch\": {}}",
                "/agents/upgrade?node=alder", "{\"agent\": 12, \"former\": 11, \"millis\": 1840}",
                "/agents/upgrade?node=birch", "{\"agent\": 14, \"millis\": 900}");
        try (var _ = new FakeLab(labs, "default", answers)) {
            assertThat(run("upgrade")).isZero();
            assertThat(run("upgrade", "alder", "oak")).isEqualTo(1);
        }
        assertThat(out.toString()).isEqualTo("""
                alder: agent 12 serves after 1.8 s, agent 11 drains
                birch: agent 14 serves after 0.9 s, there was none before
                alder: agent 12 serves after 1.8 s, agent 11 drains
                """);
    }

    @Test
    void hasAgentsRenewTheirCertificates() throws IOException {
        var answers = Map.of(
                "/agents/connections", "{\"alder\": {}, \"birch\": {}}",
                "/agents/renew_certificates?node=alder", "{\"answer\": \"renewing 3 certificates\\n\"}",
                "/agents/renew_certificates?node=birch", "{\"answer\": \"renewing 0 certificates\\n\"}");
        try (var _ = new FakeLab(labs, "default", answers)) {
            assertThat(run("renew")).isZero();
            assertThat(run("renew", "birch")).isZero();
        }
        assertThat(out.toString()).isEqualTo("""
                alder: renewing 3 certificates
                birch: renewing 0 certificates
                birch: renewing 0 certificates
                """);
    }

    @Test
    void changesWhatAnAgentLogs() throws IOException {
        var answers = Map.of(
                "/agents/logging?node=alder&level=debug&for=10m", "{\"answer\": \"current log level is debug\\n\"}",
                "/agents/access_log?node=alder&only=errors&rate=100", "{\"answer\": \"{}\\n\"}");
        try (var _ = new FakeLab(labs, "default", answers)) {
            assertThat(run("log-level", "alder", "debug", "--for", "10m")).isZero();
            assertThat(run("access-log", "alder", "--only", "errors", "--rate", "100"))
                    .isZero();
        }
        assertThat(out.toString()).isEqualTo("current log level is debug\n{}\n");
    }
}
