package io.loam.config;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.check.MeshChecks;
import io.loam.config.problem.Problem;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What people read when they wrote something wrong, word for word: file, line, field, value, expectation.
class ProblemTextGoldenTest {
    @Test
    void anUnknownKind() {
        expect(
                """
                apiVersion: v1
                kind: Secret
                metadata: {name: settings, namespace: shop}
                """,
                "shop.yaml:2: Secret shop/settings: kind: Secret (expected: Node, Namespace, ServiceAccount, Pod,"
                        + " Deployment, Service, ServiceEntry, WorkloadEntry, Gateway, Sidecar, ConfigMap,"
                        + " IstioOperator, AuthorizationPolicy or PeerAuthentication); ignored");
    }

    @Test
    void aKindOfAnotherProject() {
        expect(
                """
                apiVersion: policy.linkerd.io/v1alpha1
                kind: AuthorizationPolicy
                metadata: {name: a}
                """,
                "shop.yaml:1: AuthorizationPolicy default/a: apiVersion: policy.linkerd.io/v1alpha1 (expected:"
                        + " security.istio.io/v1, security.istio.io/v1beta1, security.loam.io/v1 or"
                        + " security.loam.io/v1beta1); ignored");
    }

    @Test
    void aFieldThatIsNearlyRight() {
        expect(
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: cart}
                spec:
                  containers:
                  - name: web
                    comand: [nginx]
                    command: [nginx]
                """,
                "shop.yaml:7: Pod default/cart: spec.containers[0].comand: unknown field (expected: command); ignored");
    }

    @Test
    void aFieldThatIsLikeNoOther() {
        expect(
                """
                apiVersion: v1
                kind: Service
                metadata: {name: cart}
                spec:
                  clusterIP: None
                  ports:
                  - port: 80
                    weighting: 5
                """,
                "shop.yaml:8: Service default/cart: spec.ports[0].weighting: unknown field (expected: appProtocol, name,"
                        + " nodePort, port, protocol or targetPort); ignored");
    }

    @Test
    void aPodWithoutACommand() {
        expect(
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: cart, namespace: shop}
                spec:
                  containers:
                  - name: web
                    image: nginx:1.27
                """,
                "shop.yaml:6: Pod shop/cart: spec.containers[0].command: missing (expected: the program to run; images"
                        + " are not used, programs of this machine are); such pods are not started",
                "shop.yaml:3: Pod shop/cart: metadata.namespace: shop (expected: the name of a Namespace); taken as a"
                        + " namespace without labels");
    }

    @Test
    void unreadableYaml() {
        expect("""
                apiVersion: v1
                kind: Pod
                metadata: {name: cart
                spec: {}
                """, "shop.yaml:4:5: spec: {} (expected: valid YAML); expected ',' or '}', but got :");
    }

    @Test
    void tabsForIndentation() {
        expect(
                "apiVersion: v1\nkind: Pod\nmetadata:\n\tname: cart\n",
                "shop.yaml:4:1: name: cart (expected: valid YAML); found character '\\t(TAB)' that cannot start any"
                        + " token. (Do not use \\t(TAB) for indentation)");
    }

    @Test
    void aDocumentThatIsNoObject() {
        expect("just text", "shop.yaml:1: just text (expected: a mapping with apiVersion, kind and metadata)");
    }

    @Test
    void aFieldWrittenTwice() {
        expect("""
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: shop
                  name: shop2
                """, "shop.yaml:5: Namespace shop: metadata.name: written twice (expected: once)");
    }

    @Test
    void aNumberThatIsNone() {
        expect(
                """
                apiVersion: apps/v1
                kind: Deployment
                metadata: {name: cart}
                spec:
                  replicas: two
                  selector: {matchLabels: {app: cart}}
                  template:
                    metadata: {labels: {app: cart}}
                    spec: {containers: [{name: web, command: [nginx]}]}
                """,
                "shop.yaml:5: Deployment default/cart: spec.replicas: two (expected: a whole number from 0 to 10000)");
    }

    @Test
    void aSelectorThatTheTemplateDoesNotHave() {
        expect(
                """
                apiVersion: apps/v1
                kind: Deployment
                metadata: {name: cart}
                spec:
                  selector: {matchLabels: {app: cart}}
                  template:
                    metadata: {labels: {app: carts}}
                    spec: {containers: [{name: web, command: [nginx]}]}
                """,
                "shop.yaml:5: Deployment default/cart: spec.selector: {app: cart} (expected: labels of the template:"
                        + " {app: carts})");
    }

    @Test
    void aPolicyWithAnInvalidBlockPrincipalAndPort() {
        expect(
                """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: allow-cart, namespace: shop}
                spec:
                  rules:
                  - from:
                    - source:
                        ipBlocks: ["10.0.0.0/33"]
                    - source:
                        principals: ["spiffe://cluster.local/ns/shop/sa/cart"]
                    to:
                    - operation: {ports: ["70000"]}
                    when:
                    - {key: source.port, values: ["1"]}
                """,
                "shop.yaml:8: AuthorizationPolicy shop/allow-cart: spec.rules[0].from[0].source.ipBlocks[0]: 10.0.0.0/33"
                        + " (expected: an IP address or CIDR block such as 10.0.0.0/8 or fd00::/8)",
                "shop.yaml:10: AuthorizationPolicy shop/allow-cart: spec.rules[0].from[1].source.principals[0]:"
                        + " spiffe://cluster.local/ns/shop/sa/cart (expected: <trust domain>/ns/<namespace>/sa/<service"
                        + " account> without spiffe://, or with * at one end, or *)",
                "shop.yaml:12: AuthorizationPolicy shop/allow-cart: spec.rules[0].to[0].operation.ports[0]: 70000"
                        + " (expected: a whole number from 1 to 65535)",
                "shop.yaml:14: AuthorizationPolicy shop/allow-cart: spec.rules[0].when[0].key: source.port (expected:"
                        + " source.ip, source.namespace, source.principal, source.serviceAccount, source.trustDomain,"
                        + " destination.ip, destination.port, remote.ip, connection.sni, request.headers[…] or"
                        + " request.auth.…)");
    }

    @Test
    void anEmptyFrom() {
        expect(
                """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: a}
                spec:
                  action: DENY
                  rules:
                  - from: []
                """,
                "shop.yaml:7: AuthorizationPolicy default/a: spec.rules[0].from: [] (expected: at least one item, or no"
                        + " from at all)");
    }

    @Test
    void fromAndToAsTwoRules() {
        expect(
                """
                apiVersion: security.istio.io/v1
                kind: AuthorizationPolicy
                metadata: {name: a}
                spec:
                  rules:
                  - from: [{source: {namespaces: [shop]}}]
                  - to: [{operation: {ports: ["80"]}}]
                """,
                "shop.yaml:7: AuthorizationPolicy default/a: spec.rules[1].to: a rule without from (expected: from and"
                        + " to in one item of rules); as written, either of the two rules is enough");
    }

    @Test
    void mutualTlsSwitchedOff() {
        expect(
                """
                apiVersion: security.istio.io/v1
                kind: PeerAuthentication
                metadata: {name: default}
                spec:
                  mtls:
                    mode: DISABLE
                """,
                "shop.yaml:6: PeerAuthentication default/default: spec.mtls.mode: DISABLE (expected: PERMISSIVE or STRICT);"
                        + " treated as PERMISSIVE: a workload of the mesh always takes mutual TLS");
    }

    @Test
    void theSameObjectTwice() {
        expect(
                """
                {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
                ---
                {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
                """,
                "shop.yaml:3: Namespace shop: metadata.name: shop (expected: a name that is not taken); ignored, the one"
                        + " at shop.yaml:1 is used");
    }

    @Test
    void aServiceThatSelectsNothing() {
        expect(
                """
                {apiVersion: v1, kind: Namespace, metadata: {name: shop}}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: cart, namespace: shop}
                spec:
                  selector: {tier: web, app: cart}
                  ports: [{port: 80}]
                """,
                "shop.yaml:7: Service shop/cart: spec.selector: {app: cart, tier: web} (expected: labels of a pod in"
                        + " namespace shop); has no endpoints");
    }

    @Test
    void aNamedTargetPortThatNoPodHas() {
        expect(
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: cart, labels: {app: cart}}
                spec: {containers: [{name: web, command: [nginx], ports: [{name: http, containerPort: 80}]}]}
                ---
                apiVersion: v1
                kind: Service
                metadata: {name: cart}
                spec:
                  selector: {app: cart}
                  ports:
                  - {port: 80, targetPort: web}
                """,
                "shop.yaml:12: Service default/cart: spec.ports[0].targetPort: web (expected: the name of a TCP port of"
                        + " its pods); the port has no endpoints");
    }

    @Test
    void twoPodsThatAskForOneAddress() {
        expect(
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: a, annotations: {loam.io/pod-ip: 10.244.0.5}}
                spec: {containers: [{name: web, command: [nginx]}]}
                ---
                apiVersion: v1
                kind: Pod
                metadata:
                  name: b
                  annotations:
                    loam.io/pod-ip: 10.244.0.5
                spec: {containers: [{name: web, command: [nginx]}]}
                """,
                "shop.yaml:11: Pod default/b: metadata.annotations[\"loam.io/pod-ip\"]: 10.244.0.5 (expected: an address"
                        + " nobody else asks for); Pod default/a at shop.yaml:1 asks for it too");
    }

    @Test
    void anAddressThatIsNone() {
        expect(
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: a, annotations: {loam.io/pod-ip: 10.244.0.300}}
                spec: {containers: [{name: web, command: [nginx]}]}
                """,
                "shop.yaml:3: Pod default/a: metadata.annotations[\"loam.io/pod-ip\"]: 10.244.0.300 (expected: an IPv4"
                        + " address, an IPv6 address, or one of each separated by a comma)");
    }

    @Test
    void aNamespaceThatIsNotThere() {
        expect(
                """
                {apiVersion: v1, kind: ServiceAccount, metadata: {name: cart, namespace: shop}}
                """,
                "shop.yaml:1: ServiceAccount shop/cart: metadata.namespace: shop (expected: the name of a Namespace);"
                        + " taken as a namespace without labels");
    }

    @Test
    void aNodeAndAnAccountThatAreNotThere() {
        expect(
                """
                {apiVersion: v1, kind: Node, metadata: {name: node-1}}
                ---
                apiVersion: v1
                kind: Pod
                metadata: {name: cart}
                spec:
                  nodeName: node-9
                  serviceAccountName: robot
                  containers: [{name: web, command: [nginx]}]
                """,
                "shop.yaml:8: Pod default/cart: spec.serviceAccountName: robot (expected: the name of a ServiceAccount in"
                        + " namespace default); runs as it all the same",
                "shop.yaml:7: Pod default/cart: spec.nodeName: node-9 (expected: the name of a Node: node-1); does not"
                        + " run");
    }

    @Test
    void somethingWithoutEffect() {
        expect(
                """
                apiVersion: v1
                kind: Pod
                metadata: {name: cart}
                spec:
                  volumes: [{name: data}]
                  containers: [{name: web, command: [nginx]}]
                """,
                "shop.yaml:5: Pod default/cart: spec.volumes: a list of 1; without effect: programs run on this machine,"
                        + " outside any container");
    }

    @Test
    void valuesNeverStartANewLineOfALog() {
        expect(
                "apiVersion: v1\nkind: \"Evil\\nshop.yaml:1: all is well\"\nmetadata: {name: a}\n",
                "shop.yaml:2: Evil\\nshop.yaml:1: all is well default/a: kind: Evil\\nshop.yaml:1: all is well (expected:"
                        + " Node, Namespace, ServiceAccount, Pod, Deployment, Service, ServiceEntry, WorkloadEntry,"
                        + " Gateway, Sidecar, ConfigMap, IstioOperator, AuthorizationPolicy or PeerAuthentication);"
                        + " ignored");
    }

    @Test
    void aServiceEntryWithWrongFields() {
        expect(
                """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: api, namespace: default}
                spec:
                  hosts: ["api_.example.com", "*", "10.0.0.1"]
                  addresses: [192.0.2.0/40, 127.0.0.1]
                  location: OUTSIDE
                  resolution: STATIC
                  ports:
                  - {number: 443, name: https, protocol: HTTPS}
                  - {number: 443, name: again, protocol: QUIC, targetPort: 0}
                  endpoints:
                  - {address: api.example.com, ports: {https: 99999}, locality: /zone}
                  - {adress: 192.0.2.7}
                """,
                "shop.yaml:5: ServiceEntry default/api: spec.hosts[1]: * (expected: a host name such as api.example.com"
                        + " or *.example.com)",
                "shop.yaml:5: ServiceEntry default/api: spec.hosts[2]: 10.0.0.1 (expected: a host name such as"
                        + " api.example.com or *.example.com)",
                "shop.yaml:6: ServiceEntry default/api: spec.addresses[0]: 192.0.2.0/40 (expected: an IP address or CIDR"
                        + " block such as 192.0.2.7 or 192.0.2.0/24)",
                "shop.yaml:6: ServiceEntry default/api: spec.addresses[1]: 127.0.0.1 (expected: an address that pods can"
                        + " connect to)",
                "shop.yaml:11: ServiceEntry default/api: spec.ports[1].number: 443 (expected: each port once)",
                "shop.yaml:11: ServiceEntry default/api: spec.ports[1].protocol: QUIC (expected: HTTP, HTTPS, HTTP2,"
                        + " GRPC, GRPC-WEB, MONGO, MYSQL, REDIS, TCP or TLS)",
                "shop.yaml:11: ServiceEntry default/api: spec.ports[1].targetPort: 0 (expected: a whole number from 1 to"
                        + " 65535)",
                "shop.yaml:13: ServiceEntry default/api: spec.endpoints[0].ports.https: 99999 (expected: a whole number"
                        + " from 1 to 65535)",
                "shop.yaml:13: ServiceEntry default/api: spec.endpoints[0].locality: /zone (expected: region/zone/subzone,"
                        + " of which the last two may be left out)",
                "shop.yaml:13: ServiceEntry default/api: spec.endpoints[0].address: api.example.com (expected: an IP"
                        + " address, or resolution DNS)",
                "shop.yaml:14: ServiceEntry default/api: spec.endpoints[1].address: missing (expected: an IP address or a"
                        + " host name)",
                "shop.yaml:14: ServiceEntry default/api: spec.endpoints[1].adress: unknown field (expected: address);"
                        + " ignored",
                "shop.yaml:7: ServiceEntry default/api: spec.location: OUTSIDE (expected: MESH_EXTERNAL or"
                        + " MESH_INTERNAL)");
    }

    @Test
    void aServiceEntryThatCannotBeResolved() {
        expect(
                """
                apiVersion: networking.istio.io/v1
                kind: ServiceEntry
                metadata: {name: api, namespace: default}
                spec: {hosts: ["*.example.com"], resolution: DNS, ports: [{number: 443, name: tls, protocol: TLS}]}
                """,
                "shop.yaml:4: ServiceEntry default/api: spec.hosts: *.example.com (expected: host names without *, or"
                        + " endpoints: a wildcard does not resolve)");
    }

    @Test
    void aWaypointForNobody() {
        expect(
                """
                apiVersion: gateway.networking.k8s.io/v1
                kind: Gateway
                metadata: {name: w, namespace: default, labels: {istio.io/waypoint-for: pods}}
                spec:
                  gatewayClassName: istio-waypoint
                  addresses: [{type: IPAddress, value: w.example.com}]
                  listeners:
                  - {name: web, port: 80, protocol: HTTP}
                  - {name: mesh, port: 15008, protocol: HBONE, allowedRoutes: {namespaces: {from: Some}}}
                """,
                "shop.yaml:3: Gateway default/w: metadata.labels[\"istio.io/waypoint-for\"]: pods (expected: service,"
                        + " workload, all or none)",
                "shop.yaml:6: Gateway default/w: spec.addresses[0].value: w.example.com (expected: an IP address)",
                "shop.yaml:8: Gateway default/w: spec.listeners[0].protocol: HTTP on 80 (expected: HBONE on 15008);"
                        + " ignored: a waypoint has no other listener",
                "shop.yaml:9: Gateway default/w: spec.listeners[1].allowedRoutes.namespaces.from: Some (expected: All,"
                        + " Same or Selector)");
    }

    @Test
    void annotationsThatMeanSomethingElse() {
        expect(
                """
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: shop
                  annotations:
                    loam.io/outbound-traffic-policy: closed
                    loam.io/waypoint-bypass: "yes"
                    traffic.sidecar.istio.io/excludeOutboundPorts: 443,https
                    loam.io/exclude-outbound-ip-ranges: 10.0.0.0/8,example.com
                """,
                "shop.yaml:6: Namespace shop: metadata.annotations[\"loam.io/outbound-traffic-policy\"]: closed"
                        + " (expected: ALLOW_ANY or REGISTRY_ONLY)",
                "shop.yaml:7: Namespace shop: metadata.annotations[\"loam.io/waypoint-bypass\"]: yes (expected: allow or"
                        + " deny)",
                "shop.yaml:8: Namespace shop:"
                        + " metadata.annotations[\"traffic.sidecar.istio.io/excludeOutboundPorts\"]: 443,https (expected:"
                        + " ports from 1 to 65535 separated by commas)",
                "shop.yaml:9: Namespace shop: metadata.annotations[\"loam.io/exclude-outbound-ip-ranges\"]:"
                        + " 10.0.0.0/8,example.com (expected: IP addresses or CIDR blocks such as 10.0.0.0/8, separated by"
                        + " commas)");
    }

    @Test
    void anEgressPolicyThatIsNone() {
        expect(
                """
                apiVersion: v1
                kind: ConfigMap
                metadata: {name: istio, namespace: istio-system}
                data:
                  mesh: |
                    accessLogFile: /dev/stdout

                    outboundTrafficPolicy:
                      mode: CLOSED
                """,
                "shop.yaml:9: ConfigMap istio-system/istio: data.mesh.outboundTrafficPolicy.mode: CLOSED (expected:"
                        + " ALLOW_ANY or REGISTRY_ONLY)",
                "shop.yaml:6: ConfigMap istio-system/istio: data.mesh.accessLogFile: /dev/stdout; without effect in this"
                        + " version");
    }

    private static void expect(String yaml, String... problems) {
        var result = new ConfigReader().readText(yaml, Path.of("shop.yaml"));
        var all = new ArrayList<>(result.problems());
        all.addAll(MeshChecks.check(result.objects()));

        assertThat(all).extracting(Problem::toString).containsExactlyElementsOf(List.of(problems));
    }
}
