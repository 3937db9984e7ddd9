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
        return Main.commandLine(labs)
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
}
