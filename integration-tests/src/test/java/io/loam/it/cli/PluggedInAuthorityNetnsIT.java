package io.loam.it.cli;

import static io.loam.it.cli.LoamProgram.loam;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `loam up --ca DIR` with keys that OpenSSL made: a root whose key is elsewhere, and an intermediate that signs.
final class PluggedInAuthorityNetnsIT {
    private static final String LAB = "itca";

    private static final String FILES = """
            {apiVersion: v1, kind: Node, metadata: {name: one}}
            ---
            {apiVersion: v1, kind: Node, metadata: {name: two}}
            ---
            {apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {loam.io/dataplane-mode: ambient}}}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: web, namespace: shop, labels: {app: web}}
            spec:
              nodeName: two
              containers:
                - name: web
                  command: [/usr/bin/python3, -m, http.server, "8000"]
                  readinessProbe: {tcpSocket: {port: 8000}, periodSeconds: 1}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: caller, namespace: shop}
            spec: {nodeName: one, containers: [{name: shell, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Pod
            metadata: {name: stranger, namespace: default}
            spec: {nodeName: one, containers: [{name: shell, command: [sleep, infinity]}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web, namespace: shop}
            spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: web-pods, namespace: shop}
            spec: {clusterIP: None, selector: {app: web}, ports: [{port: 8000}]}
            """;

    @TempDir
    private Path ca;

    @TempDir
    private Path files;

    @BeforeEach
    void write() throws IOException {
        Files.writeString(files.resolve("lab.yaml"), FILES);
    }

    @AfterEach
    void down() throws Exception {
        loam("down", LAB);
    }

    @Test
    void workloadsGetCertificatesOfTheGivenAuthority() throws Exception {
        makeAuthority();

        var up = loam("up", "--name", LAB, "--ca", ca.toString(), files.toString());

        assertThat(up.exitCode()).as(up.output()).isZero();
        var answer = loam("exec", "--lab", LAB, "caller", "--", "curl", "-sS", "-m", "5", "http://web.shop/");
        assertThat(answer.exitCode()).as(answer.output()).isZero();
        assertThat(issuersServed()).contains("Corner shop intermediate", "Corner shop root");
    }

    @Test
    void anAuthorityThatCannotBeUsedIsToldWithItsFile() throws Exception {
        makeAuthority();
        Files.delete(ca.resolve("ca-key.pem"));

        var up = loam("up", "--name", LAB, "--ca", ca.toString(), files.toString());

        assertThat(up.exitCode()).isNotZero();
        assertThat(up.output()).contains("ca-key.pem");
    }

    @Test
    void aMissingDirectoryIsAMistakeOfTheCommandLine() throws Exception {
        var up = loam("up", "--name", LAB, "--ca", ca.resolve("none").toString(), files.toString());

        assertThat(up.exitCode()).isEqualTo(2);
        assertThat(up.output()).contains("none: no such directory");
    }

    /// The issuers of the chain that a pod of the mesh shows to whoever knocks.
    private static String issuersServed() throws Exception {
        var knock = "ip=$(getent ahostsv4 web-pods.shop | awk 'NR==1{print $1}');"
                + " openssl s_client -showcerts -alpn h2 -connect $ip:15008 </dev/null 2>&1 | grep i:";
        return loam("exec", "--lab", LAB, "stranger", "--", "sh", "-c", knock).output();
    }

    private void makeAuthority() throws IOException, InterruptedException {
        var script = """
                set -e
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \\
                    -subj '/CN=Corner shop root' -keyout away.pem -out root-cert.pem
                openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \\
                    -subj '/CN=Corner shop intermediate' -keyout ca-key.pem -out ca.csr
                printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=critical,keyCertSign,cRLSign\\n' >ca.ext
                openssl x509 -req -in ca.csr -CA root-cert.pem -CAkey away.pem -CAcreateserial -days 30 \\
                    -extfile ca.ext -out ca-cert.pem
                cat ca-cert.pem root-cert.pem >cert-chain.pem
                rm away.pem
                """;
        var openssl = new ProcessBuilder("sh", "-c", script)
                .directory(ca.toFile())
                .redirectErrorStream(true)
                .start();
        var said = new String(openssl.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(openssl.waitFor()).as(said).isZero();
    }
}
