package io.loam.agent;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// The program as a process.
class MainTest {
    @Test
    void settingsThatDoNotFitEndItWithCode2AndALineEach() throws Exception {
        var builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                Main.class.getName());
        builder.environment().clear();
        builder.environment().put("LOAM_ADMINPORT", "1");
        builder.environment().put("CRL_PATH", "/etc/crl.pem");
        builder.environment().put("ZTUNNEL_WORKER_THREADS", "1");

        var process = builder.start();
        var errors = new String(process.getErrorStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();

        assertThat(errors).isEqualTo("""
                CRL_PATH: /etc/crl.pem (expected: not set; certificate revocation lists are not checked yet)
                LOAM_ADMINPORT: unknown setting (expected: one of LOAM_ADMIN_PORT, LOAM_READINESS_PORT, LOAM_STATS_PORT)
                NODE_NAME: not set (expected: the name of the node this agent runs on)
                """);
        assertThat(process.exitValue()).isEqualTo(2);
        assertThat(process.getInputStream().readAllBytes()).isEmpty();
    }
}
