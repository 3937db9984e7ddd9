package io.loam.controlplane;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.nimbusds.jose.jwk.JWKSet;
import io.loam.config.ConfigReader;
import io.loam.config.cluster.ClusterState;
import io.loam.config.cluster.RunningPod;
import io.loam.config.compile.MeshSettings;
import io.loam.config.object.PodObject;
import io.loam.protocol.rpc.RpcListenConfig;
import io.loam.protocol.rpc.ServingCertificate;
import io.loam.protocol.token.TokenVerifier;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.KeyPairGenerator;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.List;
import java.util.Set;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.slf4j.LoggerFactory;

/// The process of {@link ReconnectStormTest}: a control plane with a mesh of some size, alone in its JVM, so that its
/// memory can be looked at. Says where it listens and what its certificate is; each line that it is told publishes a
/// state in which some labels are others. Ends with its standard input.
final class LoadedControlPlane {
    private static final int CHANGED = 10;

    private LoadedControlPlane() {}

    /// @param arguments how many services, each with one pod; the public keys of tokens as JSON
    public static void main(String[] arguments) throws Exception {
        ((Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).setLevel(Level.WARN); // gRPC logs each frame
        int services = Integer.parseInt(arguments[0]);
        var certificate = certificate();
        var first = state(services, 0);
        try (var controlPlane = ControlPlane.start(
                        ControlPlaneConfig.of(MeshSettings.DEFAULT, Set.of("loam-system/node-agent")),
                        RpcListenConfig.of(
                                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                                8 << 20,
                                Duration.ofHours(1)),
                        () -> certificate,
                        TokenVerifier.of(
                                JWKSet.parse(arguments[1]), "issuer", Set.of("istio-ca"), InstantSource.system()),
                        InstantSource.system());
                var orders = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            publish(controlPlane, first);
            System.out.println(controlPlane.address().getPort() + " "
                    + Base64.getEncoder()
                            .encodeToString(certificate.chain().getFirst().getEncoded()));
            for (int round = 1; orders.readLine() != null; round++) {
                publish(controlPlane, changed(first, round));
                System.out.println("published");
            }
        }
    }

    private static void publish(ControlPlane controlPlane, ClusterState state) throws InterruptedException {
        long generation = controlPlane.publish(state);
        while (controlPlane.statistics().generation() < generation) {
            Thread.sleep(10);
        }
    }

    private static ClusterState state(int services, int round) throws IOException {
        var yaml = new StringBuilder("{apiVersion: v1, kind: Namespace, metadata: {name: shop}}\n");
        for (int i = 0; i < services; i++) {
            yaml.append("""
                    ---
                    apiVersion: v1
                    kind: Service
                    metadata: {name: service-%1$d, namespace: shop}
                    spec: {clusterIP: 10.96.%2$d.%3$d, selector: {app: service-%1$d}, ports: [{port: 80}]}
                    ---
                    apiVersion: v1
                    kind: Pod
                    metadata: {name: service-%1$d-7d9f8b6c5d-abcde, namespace: shop, labels: {app: service-%1$d, version: v%4$d}}
                    spec: {containers: [{name: main, command: [run]}]}
                    """.formatted(i, i / 250, 1 + i % 250, round));
        }
        var objects = new ConfigReader()
                .readText(yaml.toString(), Path.of("mesh.yaml"))
                .objects();
        var pods = new ArrayList<RunningPod>();
        for (var object : objects) {
            if (object instanceof PodObject pod) {
                int i = pods.size();
                pods.add(running(pod, i));
            }
        }
        return new ClusterState(objects, pods);
    }

    private static RunningPod running(PodObject pod, int i) {
        return new RunningPod(
                pod,
                "uid-" + i,
                "node-" + i % 500,
                List.of(InetAddress.ofLiteral("10.244.%d.%d".formatted(i / 250, 1 + i % 250))),
                RunningPod.Phase.RUNNING,
                true,
                false,
                true,
                null);
    }

    /// The first pods have another version.
    private static ClusterState changed(ClusterState state, int round) throws IOException {
        var others = state(Math.min(CHANGED, state.pods().size()), round).pods();
        var pods = new ArrayList<>(state.pods());
        for (int i = 0; i < others.size(); i++) {
            pods.set(i, others.get(i));
        }
        return new ClusterState(state.objects(), pods);
    }

    /// Signed by itself, for the name `control-plane`.
    static ServingCertificate certificate() throws Exception {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(256);
        var keys = generator.generateKeyPair();
        var name = new X500Name("CN=control-plane");
        var builder = new JcaX509v3CertificateBuilder(
                name,
                BigInteger.ONE,
                Date.from(Instant.now().minusSeconds(60)),
                Date.from(Instant.now().plusSeconds(3600)),
                name,
                keys.getPublic());
        builder.addExtension(
                Extension.subjectAlternativeName,
                false,
                new GeneralNames(new GeneralName(GeneralName.dNSName, "control-plane")));
        var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate());
        return new ServingCertificate(
                keys.getPrivate(), List.of(new JcaX509CertificateConverter().getCertificate(builder.build(signer))));
    }
}
