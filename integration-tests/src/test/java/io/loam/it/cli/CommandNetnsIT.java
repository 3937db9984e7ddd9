package io.loam.it.cli;

import static io.loam.it.cli.LoamProgram.TOP;
import static io.loam.it.cli.LoamProgram.loam;
import static io.loam.it.cli.LoamProgram.started;
import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// The commands of the README, on a lab of their own.
final class CommandNetnsIT {
    private static final String LAB = "itcli";

    @AfterEach
    void down() throws Exception {
        loam("down", LAB);
    }

    @Test
    void documentedCommandsDoWhatTheySay() throws Exception {
        var up = loam("up", "--name", LAB, TOP.resolve("samples/shop").toString());
        assertThat(up.exitCode()).as(up.output()).isZero();
        assertThat(up.output()).contains("lab '" + LAB + "' is up");

        var pods = loam("get", "pods", "--lab", LAB);
        assertThat(pods.output()).contains("customer", "web-", "old-till").doesNotContain(" no ");

        var curl = loam("exec", "--lab", LAB, "customer", "--", "curl", "-s", "http://web.shop/api/products.json");
        assertThat(curl.output()).contains("\"soap\"");
        assertThat(loam("exec", "--lab", LAB, "customer", "--", "sh", "-c", "exit 7")
                        .exitCode())
                .isEqualTo(7);

        assertThat(loam("logs", "--lab", LAB, "web").output()).contains("GET /");
        followsTheLogOfAPod();
        assertThat(loam("get", "services", "--lab", LAB, "-o", "yaml").output()).contains("name: web");
        assertThat(loam("get", "workloads", "--lab", LAB).output()).contains("spiffe://cluster.local/ns/shop/sa/web");
        assertThat(loam("problems", "--lab", LAB)).isEqualTo(new LoamProgram.Outcome(0, ""));

        var again = loam("up", "--name", LAB, TOP.resolve("samples/shop").toString());
        assertThat(again.exitCode()).isEqualTo(2);
        assertThat(again.output()).contains("is running already");

        assertThat(loam("down", LAB).exitCode()).isZero();
        assertThat(Path.of("/run/loam", LAB)).doesNotExist();
        assertThat(Path.of("/run/netns").toFile().list((_, name) -> name.startsWith("loam-" + LAB + "-")))
                .isEmpty();
    }

    /// `logs -f` shows what comes after it began, as it comes.
    private static void followsTheLogOfAPod() throws Exception {
        var follow = started("logs", "--lab", LAB, "-f", "web");
        try (var lines = follow.inputReader()) {
            assertThat(lines.readLine()).contains("GET /"); // what is there already
            loam("exec", "--lab", LAB, "customer", "--", "curl", "-s", "http://web.shop/followed");
            var found = CompletableFuture.supplyAsync(() -> lines.lines().anyMatch(line -> line.contains("/followed")));
            assertThat(found.get(20, TimeUnit.SECONDS)).isTrue();
            assertThat(follow.isAlive()).isTrue();
        } finally {
            follow.destroy();
        }
    }
}
