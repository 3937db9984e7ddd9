package io.loam.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Whatever stands in a file, reading it ends, throws nothing, and says something about what it did not use.
class ConfigReaderFuzzTest {
    private static final String GOOD = """
            apiVersion: v1
            kind: Pod
            metadata: {name: cart, labels: &l {app: cart}, annotations: {<<: *l, loam.io/pod-ip: 10.244.0.1}}
            spec:
              containers:
              - name: web
                command: ["nginx", "-g", 'daemon off;']
                env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]
                ports: [{name: http, containerPort: 80}]
                readinessProbe: {httpGet: {port: http}}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: cart}
            spec: {clusterIPs: [10.96.0.1, "fd00:96::1"], selector: {app: cart}, ports: [{port: 80, targetPort: http}]}
            ---
            apiVersion: security.istio.io/v1
            kind: AuthorizationPolicy
            metadata: {name: a}
            spec:
              action: DENY
              rules:
              - from: [{source: {ipBlocks: [10.0.0.0/8], principals: ["*/sa/x"]}}]
                when: [{key: destination.port, values: ["80"]}]
            ---
            apiVersion: security.istio.io/v1
            kind: PeerAuthentication
            metadata: {name: p}
            spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}, portLevelMtls: {80: {mode: PERMISSIVE}}}
            """;
    private static final String PIECES = "\n\t :-{}[],&*!|>%@`'\"#?\\\u0000\uFEFF\u2028\ud83d\ude00aA0~";

    @Test
    void mutatedDocumentsAreReadOrReported() {
        var random = new Random(20_261_121);
        var reader = new ConfigReader();
        for (int round = 0; round < 20_000; round++) {
            var text = new StringBuilder(GOOD);
            for (int edits = 1 + random.nextInt(4); edits > 0; edits--) {
                int at = random.nextInt(text.length());
                switch (random.nextInt(4)) {
                    case 0 -> text.deleteCharAt(at);
                    case 1 -> text.insert(at, PIECES.charAt(random.nextInt(PIECES.length())));
                    case 2 -> text.setCharAt(at, PIECES.charAt(random.nextInt(PIECES.length())));
                    default -> {
                        int end = Math.min(text.length(), at + random.nextInt(40));
                        text.insert(random.nextInt(text.length()), text.substring(at, end));
                    }
                }
            }

            var result = reader.readText(text.toString(), Path.of("fuzz.yaml"));

            if (!result.rejected().isEmpty()) {
                assertThat(result.problems()).as("%s", text).isNotEmpty();
            }
            for (var problem : result.problems()) {
                assertThat(problem.toString()).doesNotContain("\n");
            }
        }
    }
}
