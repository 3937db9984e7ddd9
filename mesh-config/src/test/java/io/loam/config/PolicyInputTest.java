package io.loam.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.problem.Problem;
import io.loam.config.problem.Severity;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// Every field of AuthorizationPolicy and PeerAuthentication with a wrong value: the document is refused as a
/// whole, with file, line, field, value and what was expected.
final class PolicyInputTest {
    private static final String PRINCIPAL =
            "<trust domain>/ns/<namespace>/sa/<service account> without spiffe://, or with * at one end, or *";
    private static final String NAMESPACE = "a name, or with * at one end, or *, of a-z 0-9 -";
    private static final String DOMAIN = "a name, or with * at one end, or *, of a-z A-Z 0-9 . _ -";
    private static final String CIDR = "an IP address or CIDR block such as 10.0.0.0/8 or fd00::/8";
    private static final String ACCOUNT =
            "<namespace>/<service account>, or a service account of the policy's namespace";
    private static final String PORT = "a whole number from 1 to 65535";

    @ParameterizedTest(name = "source: {0}: {1}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "principals        | spiffe://td/ns/a/sa/b  | PRINCIPAL",
                "principals        | td/ns/a                | PRINCIPAL",
                "principals        | td/ns/a/sa/b/c         | PRINCIPAL",
                "principals        | td/*/a                 | PRINCIPAL",
                "principals        | '**'                   | PRINCIPAL",
                "principals        | ''                     | PRINCIPAL",
                "principals        | spiffe://td*           | PRINCIPAL",
                "principals        | td/sa/*                | PRINCIPAL",
                "principals        | td/ns//*               | PRINCIPAL",
                "principals        | td/ns/a/ns*            | PRINCIPAL",
                "principals        | '*/ns/cart'            | PRINCIPAL",
                "principals        | '*a/b/ns/a/sa/b'       | PRINCIPAL",
                "principals        | '*/sa/'                | PRINCIPAL",
                "notPrincipals     | cart                   | PRINCIPAL",
                "namespaces        | sh*op                  | NAMESPACE",
                "namespaces        | Shop                   | NAMESPACE",
                "namespaces        | shop/a*                | NAMESPACE",
                "namespaces        | ''                     | NAMESPACE",
                "notNamespaces     | '*shop*'               | NAMESPACE",
                "serviceAccounts   | shop/*                 | ACCOUNT",
                "serviceAccounts   | a/b/c                  | ACCOUNT",
                "serviceAccounts   | Cart                   | ACCOUNT",
                "notServiceAccounts| ''                     | ACCOUNT",
                "ipBlocks          | 10.0.0.0/33            | CIDR",
                "ipBlocks          | 010.0.0.1              | CIDR",
                "ipBlocks          | 10.1                   | CIDR",
                "ipBlocks          | 167772161              | CIDR",
                "ipBlocks          | 10.0.0.0/08            | CIDR",
                "ipBlocks          | 10.0.0.0/+8            | CIDR",
                "ipBlocks          | 10.0.0.0/              | CIDR",
                "ipBlocks          | ::ffff:10.0.0.0/32     | CIDR",
                "ipBlocks          | cart.shop              | CIDR",
                "notIpBlocks       | fe80::1%eth0           | CIDR",
                "trustDomains      | td/ns                  | DOMAIN",
                "notTrustDomains   | '*td*'                 | DOMAIN",
                "remoteIpBlocks    | 10.0.0.256             | CIDR",
                "notRemoteIpBlocks | x                      | CIDR",
                "requestPrincipals | ''                     | a text",
                "notRequestPrincipals | ''                  | a text",
            })
    void refusesAWrongSource(String field, String value, String expected) {
        expect("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  rules:
                  - from:
                    - source:
                        %s:
                        - %s
                """.formatted(field, value), 9, "spec.rules[0].from[0].source." + field + "[0]", value, expected);
    }

    @ParameterizedTest(name = "operation: {0}: {1}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "ports      | 0       | PORT",
                "ports      | 65536   | PORT",
                "ports      | http    | PORT",
                "ports      | 80-90   | PORT",
                "notPorts   | '*'     | PORT",
                "methods    | ''      | a text",
                "notMethods | ''      | a text",
                "paths      | ''      | a text",
                "notPaths   | ''      | a text",
                "hosts      | ''      | a text",
                "notHosts   | ''      | a text",
            })
    void refusesAWrongOperation(String field, String value, String expected) {
        expect("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  rules:
                  - to:
                    - operation:
                        %s:
                        - %s
                """.formatted(field, value), 9, "spec.rules[0].to[0].operation." + field + "[0]", value, expected);
    }

    @ParameterizedTest(name = "when {0}: {2}: {3}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "source.ip             | values    | 10.0.0.0/99 | CIDR",
                "source.ip             | notValues | '*'         | CIDR",
                "destination.ip        | values    | 010.0.0.1   | CIDR",
                "remote.ip             | values    | here        | CIDR",
                "source.principal      | values    | shop        | PRINCIPAL",
                "source.namespace      | values    | sh*p        | NAMESPACE",
                "source.trustDomain    | notValues | a/b         | DOMAIN",
                "source.serviceAccount | values    | '*'         | ACCOUNT",
                "destination.port      | values    | http        | PORT",
                "'request.headers[x]'  | values    | ''          | a text",
                "connection.sni        | notValues | ''          | a text",
            })
    void refusesAWrongCondition(String key, String list, String value, String expected) {
        expect("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  rules:
                  - when:
                    - key: %s
                      %s:
                      - %s
                """.formatted(key, list, value), 9, "spec.rules[0].when[0]." + list + "[0]", value, expected);
    }

    /// The shape of the document: field, value, message; each on a line of its own below `spec`.
    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "selector: app                                | spec.selector: app (expected: a mapping)",
                "selector: {matchExpressions: [{key: a}]}     | spec.selector.matchExpressions: a list of 1 (expected: matchLabels)",
                "action: allow                                | spec.action: allow (expected: ALLOW, AUDIT, CUSTOM or DENY)",
                "action: DENY                                 | spec.rules: missing (expected: at least one rule for action DENY)",
                "{action: CUSTOM, rules: [{}]}                | spec.provider: missing (expected: a provider for action CUSTOM, and only for it)",
                "provider: {name: x}                          | spec.provider: a mapping (expected: a provider for action CUSTOM, and only for it)",
                "rules: {from: []}                            | spec.rules: a mapping (expected: a list)",
                "rules: [from]                                | spec.rules[0]: from (expected: a mapping)",
                "rules: [{from: []}]                          | spec.rules[0].from: [] (expected: at least one item, or no from at all)",
                "rules: [{to: []}]                            | spec.rules[0].to: [] (expected: at least one item, or no to at all)",
                "rules: [{from: [{}]}]                        | spec.rules[0].from[0].source: missing (expected: a source with at least one field)",
                "rules: [{from: [{source: {}}]}]              | spec.rules[0].from[0].source: {} (expected: at least one field)",
                "rules: [{from: [{source: {principals: []}}]}]| spec.rules[0].from[0].source.principals: [] (expected: at least one value)",
                "rules: [{from: [{source: {principals: a}}]}] | spec.rules[0].from[0].source.principals: a (expected: a list)",
                "rules: [{to: [{}]}]                          | spec.rules[0].to[0].operation: missing (expected: an operation with at least one field)",
                "rules: [{to: [{operation: {ports: []}}]}]    | spec.rules[0].to[0].operation.ports: [] (expected: at least one value)",
                "rules: [{when: [{values: [a]}]}]             | spec.rules[0].when[0].key: missing (expected: an attribute such as source.ip)",
                "rules: [{when: [{key: source.ip}]}]          | spec.rules[0].when[0].values: missing (expected: at least one of values and notValues)",
                "rules: [{from: [{source: {serviceAccounts: [a], namespaces: [b]}}]}] | spec.rules[0].from[0].source.serviceAccounts: a list of 1 (expected: serviceAccounts without principals and namespaces)",
                "targetRef: {kind: Pod, name: x}              | spec.targetRef.kind: Pod (expected: Gateway, GatewayClass, Service or ServiceEntry)",
                "targetRef: {kind: Gateway, name: x}          | `spec.targetRef.group: \"\" (expected: \"gateway.networking.k8s.io\")`",
                "targetRef: {kind: Service, name: x, namespace: bank} | `spec.targetRef.namespace: bank (expected: shop, the policy's own)`",
                "targetRef: {kind: Service}                   | spec.targetRef.name: missing (expected: the name of the target)",
            })
    void refusesAWrongShape(String line, String message) {
        assertThat(errors("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  %s
                """.formatted(line)))
                .as(line)
                .singleElement()
                .asString()
                .matches("shop\\.yaml:[45]: AuthorizationPolicy shop/p: .*")
                .endsWith(": " + message);
    }

    @Test
    void refusesASelectorBesideATarget() {
        assertThat(errors("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p, namespace: shop}
                spec:
                  selector: {matchLabels: {app: cart}}
                  targetRef: {kind: Service, name: cart}
                """))
                .containsExactly("shop.yaml:5: AuthorizationPolicy shop/p: spec.selector: {app: cart} (expected: either"
                        + " selector or targetRefs)");
    }

    @ParameterizedTest
    @ValueSource(strings = {"istio.io/dry-run", "loam.io/dry-run"})
    void refusesADryRunThatIsNeitherTrueNorFalse(String annotation) {
        assertThat(errors("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata:
                  name: p
                  annotations:
                    %s: "yes"
                """.formatted(annotation)))
                .containsExactly("shop.yaml:6: AuthorizationPolicy default/p: metadata.annotations[\"" + annotation
                        + "\"]: yes (expected: true or false)");
    }

    @Test
    void namesTheKeysThatConditionsKnow() {
        assertThat(errors("""
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p}
                spec:
                  rules:
                  - when:
                    - key: source.port
                      values: [a]
                """))
                .singleElement()
                .asString()
                .startsWith("shop.yaml:7: AuthorizationPolicy default/p: spec.rules[0].when[0].key: source.port"
                        + " (expected: source.ip, source.namespace,");
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "mtls: STRICT                                                    | spec.mtls: STRICT (expected: a mapping)",
                "mtls: {mode: Strict}                                            | spec.mtls.mode: Strict (expected: DISABLE, PERMISSIVE, STRICT or UNSET)",
                "portLevelMtls: {80: {mode: STRICT}}                             | spec.portLevelMtls: a mapping (expected: a selector beside it)",
                "{selector: {matchLabels: {a: b}}, portLevelMtls: {0: {}}}       | spec.portLevelMtls.0: 0 (expected: a port of the workload from 1 to 65535)",
                "{selector: {matchLabels: {a: b}}, portLevelMtls: {'080': {}}}   | spec.portLevelMtls.080: 080 (expected: a port of the workload from 1 to 65535)",
                "{selector: {matchLabels: {a: b}}, portLevelMtls: {65536: {}}}   | spec.portLevelMtls.65536: 65536 (expected: a port of the workload from 1 to 65535)",
                "{selector: {matchLabels: {a: b}}, portLevelMtls: {http: {}}}    | spec.portLevelMtls.http: http (expected: a port of the workload from 1 to 65535)",
                "{selector: {matchLabels: {a: b}}, portLevelMtls: {80: STRICT}}  | spec.portLevelMtls.80: STRICT (expected: a mapping)",
                "{selector: {matchLabels: {a: b}}, portLevelMtls: {80: {mode: x}}} | spec.portLevelMtls.80.mode: x (expected: DISABLE, PERMISSIVE, STRICT or UNSET)",
                "selector: {matchExpressions: []}                                | spec.selector.matchExpressions: [] (expected: matchLabels)",
            })
    void refusesAWrongPeerAuthentication(String line, String message) {
        assertThat(errors("""
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: p, namespace: shop}
                spec:
                  %s
                """.formatted(line)))
                .as(line)
                .containsExactly("shop.yaml:5: PeerAuthentication shop/p: " + message);
    }

    /// What is unusual and right.
    @ParameterizedTest
    @ValueSource(
            strings = {
                "spec: {}",
                "spec: {rules: [{}]}",
                "spec: {rules: [{from: [{source: {principals: ['td.example/ns/a/sa/b', 'td/ns/*', 'td/ns/a*', 't*']}}]}]}",
                "spec: {rules: [{from: [{source: {principals: ['*/ns/a/sa/b', '*a/sa/b', '*/b', '*b', '*', 'td/ns/a/sa/b*']}}]}]}",
                "spec: {rules: [{from: [{source: {namespaces: ['shop-*', '*-1', '*', 'a']}}]}]}",
                "spec: {rules: [{from: [{source: {serviceAccounts: [cart, bank/cart.v1]}}]}]}",
                "spec: {rules: [{from: [{source: {ipBlocks: [10.1.2.3/8, '::/0', fd00::1, '::ffff:10.0.0.0/104']}}]}]}",
                "spec: {rules: [{from: [{source: {trustDomains: ['td_1.example', 'TD*', '*.example']}}]}]}",
                "spec: {rules: [{to: [{operation: {ports: [80, '65535']}}]}]}",
                "spec: {targetRefs: [{kind: Service, name: x, namespace: shop}, {group: core, kind: Service, name: y}]}",
            })
    void acceptsWhatIsRight(String spec) {
        var yaml = """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: p, namespace: shop, annotations: {istio.io/dry-run: 'false'}}
                %s
                """.formatted(spec);
        assertThat(new ConfigReader().readText(yaml, Path.of("shop.yaml")).problems())
                .as(spec)
                .isEmpty();
    }

    private static void expect(String yaml, int line, String field, String value, String expected) {
        var words = switch (expected) {
            case "PRINCIPAL" -> PRINCIPAL;
            case "NAMESPACE" -> NAMESPACE;
            case "DOMAIN" -> DOMAIN;
            case "CIDR" -> CIDR;
            case "ACCOUNT" -> ACCOUNT;
            case "PORT" -> PORT;
            default -> expected;
        };
        var shown = value.equals("''") ? "\"\"" : value.replace("'", "");
        assertThat(errors(yaml))
                .containsExactly("shop.yaml:" + line + ": AuthorizationPolicy shop/p: " + field + ": " + shown
                        + " (expected: " + words + ")");
    }

    private static List<String> errors(String yaml) {
        var result = new ConfigReader().readText(yaml, Path.of("shop.yaml"));
        assertThat(result.objects()).isEmpty();
        return result.problems().stream()
                .filter(problem -> problem.severity() == Severity.ERROR)
                .map(Problem::toString)
                .toList();
    }
}
