package io.loam.it.cli;

import static io.loam.it.cli.LoamProgram.TOP;
import static io.loam.it.cli.LoamProgram.loam;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What `loam why` says of the shop is what happens in it.
final class ExplainNetnsIT {
    private static final String LAB = "itwhy";

    @TempDir
    private static Path files;

    @BeforeAll
    static void up() throws Exception {
        copy("shop");
        copy("shop-policies");
        var cluster = files.resolve("cluster.yaml");
        Files.writeString(
                cluster, Files.readString(cluster).replace("labels: {}", "labels: {loam.io/dataplane-mode: ambient}"));
        var up = loam("up", "--name", LAB, files.toString());
        assertThat(up.exitCode()).as(up.output()).isZero();
    }

    private static void copy(String sample) throws IOException {
        try (var list = Files.list(TOP.resolve("samples").resolve(sample))) {
            for (var file : list.toList()) {
                Files.copy(file, files.resolve(file.getFileName()));
            }
        }
    }

    @AfterAll
    static void down() throws Exception {
        loam("down", LAB);
    }

    private static LoamProgram.Outcome why(String from, String... to) throws Exception {
        var arguments = new String[4 + to.length];
        arguments[0] = "why";
        arguments[1] = "--lab";
        arguments[2] = LAB;
        arguments[3] = from;
        System.arraycopy(to, 0, arguments, 4, to.length);
        return loam(arguments);
    }

    @Test
    void anAllowedCallIsShownHopByHopAndTheProbeAgrees() throws Exception {
        var why = why("customer", "web.shop", "--probe");

        assertThat(why.exitCode()).as(why.output()).isZero();
        assertThat(why.output())
                .contains("shop/customer on ", "service    shop/web.shop.svc.cluster.local")
                .contains("expects    spiffe://cluster.local/ns/shop/sa/web")
                .contains("DENY shop/no-crawlers (selector): none of 1 rules matches")
                .contains("verdict    allowed")
                .contains("as predicted")
                .doesNotContain("NOT as predicted");
    }

    @Test
    void aDeniedCallNamesTheRuleAndWhatWouldLetItThrough() throws Exception {
        var why = why("crawler", "web.shop", "--probe");

        assertThat(why.exitCode()).as(why.output()).isEqualTo(1);
        assertThat(why.output())
                .contains("DENY shop/no-crawlers (selector): rule 0 matches, decides")
                .contains("POLICY_DENIED by the destination's agent: denied by shop/no-crawlers rule 0")
                .contains("to allow   remove rules[0] of AuthorizationPolicy shop/no-crawlers")
                .contains("log: PEER_DENIED): as predicted");
        assertThat(loam("explain", "PEER_DENIED").output()).contains("POLICY_DENIED", "loam why A B:PORT");
    }

    @Test
    void aCallerOutsideOfTheMeshIsToldHowToComeIn() throws Exception {
        var why = why("legacy/old-till", "web.shop", "--probe");

        assertThat(why.exitCode()).as(why.output()).isEqualTo(1);
        assertThat(why.output())
                .contains("no agent captures it", "sees no identity", "as predicted")
                .contains("take legacy/old-till into the mesh")
                .contains("set PeerAuthentication shop/mesh-only to PERMISSIVE")
                .doesNotContain("NOT as predicted");
    }

    /// The agent asks for the endpoint's name when a connection is opened; what it will be told nobody knows before.
    @Test
    void anEndpointThatIsAHostNameIsShownAsLookedUp() throws Exception {
        Files.writeString(files.resolve("billing.yaml"), """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: billing, namespace: shop}
                spec:
                  hosts: [billing.example.com]
                  addresses: [203.0.113.77]
                  resolution: DNS
                  ports: [{number: 80, name: http, protocol: HTTP}]
                  endpoints: [{address: billing.internal.example.com}]
                """);
        var seen = MeshBench.awaitValue("the new service", Duration.ofSeconds(60), () -> {
            var why = why("customer", "billing.example.com:80");
            return why.output().contains("service    ") ? Optional.of(why) : Optional.empty(); // names come first
        });

        assertThat(seen.output())
                .contains("to         billing.example.com:80 = 203.0.113.77:80")
                .contains("service    shop/billing.example.com")
                .contains("looked up  billing.internal.example.com, for each connection, by the agent; UNRESOLVED if")
                .contains("plaintext  to billing.internal.example.com:80, no tunnel, no identity")
                .contains("verdict    allowed");
        assertThat(why("customer", "billing.example.com:80", "-o", "json").output())
                .contains("\"lookup\" : \"billing.internal.example.com\"");
    }

    @Test
    void jsonHasTheSameVerdict() throws Exception {
        assertThat(why("crawler", "web.shop:80", "-o", "json").output())
                .contains("\"verdict\" : \"refused\"", "\"code\" : \"POLICY_DENIED\"", "\"matchingRules\" : [ 0 ]");
    }

    @Test
    void whatIsNotThereIsSaidInOneSentence() throws Exception {
        assertThat(why("customer", "nobody:80").output()).contains("no pod or deployment 'nobody'");
        assertThat(why("customer", "10.244.1.2").output()).contains("which port of 10.244.1.2?");
    }
}
