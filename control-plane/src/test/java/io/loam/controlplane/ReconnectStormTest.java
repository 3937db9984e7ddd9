package io.loam.controlplane;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.WireFormat;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyChannelBuilder;
import io.loam.protocol.proto.discovery.AggregatedDiscoveryServiceGrpc;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Node;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.xds.ResourceNames;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.handler.ssl.SslContext;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.Date;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.slf4j.LoggerFactory;

/// Hazard P8: every agent of a mesh comes back at the same moment, and none of them waits for its turn: connections
/// with a handshake each. The control plane is a process of its own, with a lab's flags.
final class ReconnectStormTest {
    /// The hazard asks for 500, which take a minute on a busy machine.
    private static final int AGENTS = Integer.getInteger("loam.p8.agents", 120);

    /// Each with a pod. 5,000 is the largest mesh we measure.
    private static final int SERVICES = Integer.getInteger("loam.p8.services", 300);

    /// The hazard's 10 s are for a machine of its own; here agents and control plane share it with other tests.
    private static final int SECONDS = Integer.getInteger("loam.p8.seconds", 60);

    /// So many come at a time while nobody hurries.
    private static final int CALM = 8;

    private static final Path LOG = Path.of("target/reconnect-storm.log");

    private Process process;
    private BufferedReader says;
    private Writer orders;
    private MultiThreadIoEventLoopGroup loops;
    private SslContext tls;
    private InetSocketAddress address;
    private String token;
    private final List<Agent> agents = new ArrayList<>();

    private final Logger root = (Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME);
    private final Level before = root.getLevel();

    @BeforeEach
    void start() throws Exception {
        root.setLevel(Level.WARN); // gRPC logs each frame of 500 agents
        var issuer = new ECKeyGenerator(Curve.P_256).keyID("k").generate();
        token = token(issuer);
        process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-XX:+UseSerialGC",
                        "-XX:+UseCompactObjectHeaders",
                        "--enable-native-access=ALL-UNNAMED",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-cp",
                        System.getProperty("java.class.path"),
                        LoadedControlPlane.class.getName(),
                        Integer.toString(SERVICES),
                        new JWKSet(issuer.toPublicJWK()).toString())
                .redirectError(LOG.toFile())
                .start();
        says = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        orders = process.outputWriter(StandardCharsets.UTF_8);
        var line = nextLine().split(" ");
        var certificate = (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(
                        new ByteArrayInputStream(Base64.getDecoder().decode(line[1])));
        address = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(line[0]));
        tls = GrpcSslContexts.forClient().trustManager(certificate).build();
        loops = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    }

    @AfterEach
    void stop() throws Exception {
        root.setLevel(before);
        agents.forEach(Agent::disconnect);
        if (loops != null) {
            loops.shutdownGracefully(0, 5, TimeUnit.SECONDS).await();
        }
        if (process != null) {
            process.destroy();
            assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
        }
    }

    private String nextLine() throws IOException {
        var line = says.readLine();
        if (line == null) {
            throw new IOException("the control plane ended: " + Files.readString(LOG));
        }
        return line;
    }

    private enum Holds {
        /// As an agent that lost its connection.
        VERSIONS,
        /// As one that started with the mesh its predecessor left.
        NAMES,
        NOTHING
    }

    @Test
    void allAgentsComeBackAtOnce() throws Exception {
        var held = new HashMap<String, String>();
        // Given agents that came a few at a time
        for (int i = 0; i < AGENTS; i++) {
            var agent = new Agent(i, i == 0 ? held : new HashMap<>(), i == 0);
            agent.connect(Holds.VERSIONS, held);
            agents.add(agent);
            agents.get(i == 0 ? 0 : Math.max(0, i - CALM)).synced.get(SECONDS, TimeUnit.SECONDS);
        }
        for (var agent : agents) {
            agent.synced.get(SECONDS, TimeUnit.SECONDS);
        }
        assertThat(held).hasSize(2 * SERVICES);
        long steady = resident("VmRSS");

        for (var holds : Holds.values()) {
            // When the mesh changes while they are away and all come back
            agents.forEach(Agent::disconnect);
            agents.replaceAll(Agent::again); // the end of a connection must not be taken for that of the next
            orders.write("change\n");
            orders.flush();
            assertThat(nextLine()).isEqualTo("published");
            Files.writeString(Path.of("/proc/" + process.pid() + "/clear_refs"), "5"); // VmHWM from now on
            long started = System.nanoTime();
            agents.forEach(agent -> agent.connect(holds, held));
            for (var agent : agents) {
                agent.synced.get(SECONDS, TimeUnit.SECONDS);
            }
            long millis = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - started);

            // Then
            long peak = resident("VmHWM");
            long bytes =
                    agents.stream().mapToLong(agent -> agent.received.get()).sum();
            System.out.printf(
                    "hazard P8: %d agents at once, which hold %s of %d resources: all in sync after %d ms, %d MB sent;"
                            + " peak memory %d MiB, %d MiB in calm%n",
                    AGENTS,
                    holds.name().toLowerCase(Locale.ROOT),
                    held.size(),
                    millis,
                    bytes / 1_000_000,
                    peak,
                    steady);
            assertThat(peak).as("peak in MiB with %s", holds).isLessThanOrEqualTo(2 * steady);
        }
    }

    private long resident(String field) throws IOException {
        return Files.readAllLines(Path.of("/proc/" + process.pid() + "/status")).stream()
                .filter(line -> line.startsWith(field + ":"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("[^0-9]", "")) >> 10)
                .findFirst()
                .orElseThrow();
    }

    private static String token(ECKey key) throws Exception {
        var claims = new JWTClaimsSet.Builder()
                .issuer("issuer")
                .subject("system:serviceaccount:loam-system:node-agent")
                .audience("istio-ca")
                .expirationTime(Date.from(Instant.now().plusSeconds(3600)))
                .claim("kubernetes.io", Map.of("namespace", "loam-system"))
                .build();
        var jwt = new SignedJWT(
                new JWSHeader.Builder(JWSAlgorithm.ES256).keyID("k").build(), claims);
        jwt.sign(new ECDSASigner(key));
        return jwt.serialize();
    }

    /// Subscribes to both types, confirms what comes, and keeps nothing of it.
    private final class Agent extends ClientCall.Listener<byte[]> {
        private static final MethodDescriptor<DeltaDiscoveryRequest, byte[]> METHOD =
                MethodDescriptor.<DeltaDiscoveryRequest, byte[]>newBuilder()
                        .setType(MethodType.BIDI_STREAMING)
                        .setFullMethodName(AggregatedDiscoveryServiceGrpc.getDeltaAggregatedResourcesMethod()
                                .getFullMethodName())
                        .setRequestMarshaller(AggregatedDiscoveryServiceGrpc.getDeltaAggregatedResourcesMethod()
                                .getRequestMarshaller())
                        .setResponseMarshaller(new Bytes())
                        .build();

        private final int number;
        private final Map<String, String> learned;
        private final boolean learns;
        private volatile CompletableFuture<Void> synced = new CompletableFuture<>();
        private final AtomicLong received = new AtomicLong();
        private @Nullable ManagedChannel channel;
        private @Nullable ClientCall<DeltaDiscoveryRequest, byte[]> call;
        private int types;

        /// @param learned takes names and versions of all that comes if it learns
        Agent(int number, Map<String, String> learned, boolean learns) {
            this.number = number;
            this.learned = learned;
            this.learns = learns;
        }

        /// The same node's next connection, which learns nothing.
        Agent again() {
            return new Agent(number, learned, false);
        }

        void connect(Holds holds, Map<String, String> held) {
            synced = new CompletableFuture<>();
            received.set(0);
            types = 0;
            var channel = NettyChannelBuilder.forAddress(address)
                    .eventLoopGroup(loops)
                    .channelType(EpollSocketChannel.class)
                    .overrideAuthority("control-plane")
                    .sslContext(tls)
                    .maxInboundMessageSize(64 << 20)
                    .directExecutor()
                    .build();
            this.channel = channel;
            var headers = new Metadata();
            headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);
            var call = channel.newCall(METHOD, CallOptions.DEFAULT);
            this.call = call;
            call.start(this, headers);
            call.request(Integer.MAX_VALUE);
            var metadata = Struct.newBuilder()
                    .putFields(
                            "NODE_NAME",
                            Value.newBuilder().setStringValue("node-" + number).build());
            for (var type : List.of(ResourceNames.AUTHORIZATION_TYPE, ResourceNames.ADDRESS_TYPE)) {
                var request = DeltaDiscoveryRequest.newBuilder()
                        .setNode(Node.newBuilder().setId("ztunnel~" + number).setMetadata(metadata))
                        .setTypeUrl(type);
                if (type.equals(ResourceNames.ADDRESS_TYPE)) {
                    switch (holds) {
                        case VERSIONS -> request.putAllInitialResourceVersions(held);
                        case NAMES -> held.keySet().forEach(name -> request.putInitialResourceVersions(name, ""));
                        case NOTHING -> {}
                    }
                }
                send(call, request.build());
            }
        }

        /// The answer to one type may come while the other is asked for, and calls are not thread-safe.
        private synchronized void send(ClientCall<DeltaDiscoveryRequest, byte[]> to, DeltaDiscoveryRequest request) {
            to.sendMessage(request);
        }

        void disconnect() {
            if (channel != null) {
                channel.shutdownNow();
            }
        }

        @Override
        public void onMessage(byte[] message) {
            received.addAndGet(message.length);
            try {
                if (learns) {
                    var response = DeltaDiscoveryResponse.parseFrom(message);
                    for (var resource : response.getTypeUrl().equals(ResourceNames.ADDRESS_TYPE)
                            ? response.getResourcesList()
                            : List.<Resource>of()) {
                        learned.put(resource.getName(), resource.getVersion());
                    }
                }
                send(Objects.requireNonNull(call), confirmation(message));
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            if (++types == 2) {
                synced.complete(null);
            }
        }

        @Override
        public void onClose(Status status, Metadata trailers) {
            synced.completeExceptionally(status.asRuntimeException());
        }
    }

    /// Without parsing the resources: 500 agents of one process would be busier than the control plane.
    private static DeltaDiscoveryRequest confirmation(byte[] response) throws IOException {
        var request = DeltaDiscoveryRequest.newBuilder();
        var in = CodedInputStream.newInstance(response);
        for (int tag = in.readTag(); tag != 0; tag = in.readTag()) {
            switch (WireFormat.getTagFieldNumber(tag)) {
                case DeltaDiscoveryResponse.TYPE_URL_FIELD_NUMBER -> request.setTypeUrl(in.readString());
                case DeltaDiscoveryResponse.NONCE_FIELD_NUMBER -> request.setResponseNonce(in.readString());
                default -> {
                    if (!in.skipField(tag)) {
                        throw new InvalidProtocolBufferException("end of a group");
                    }
                }
            }
        }
        return request.build();
    }

    private static final class Bytes implements MethodDescriptor.Marshaller<byte[]> {
        @Override
        public InputStream stream(byte[] value) {
            return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
            try {
                return stream.readAllBytes();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
