package io.loam.runtime.xds;

import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.netty.GrpcSslContexts;
import io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.StreamObserver;
import io.loam.protocol.proto.discovery.AggregatedDiscoveryServiceGrpc.AggregatedDiscoveryServiceImplBase;
import io.loam.protocol.proto.discovery.DeltaDiscoveryRequest;
import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.tls.Pem;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.math.BigInteger;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Date;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509v3CertificateBuilder;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;

/// A control plane over TLS that says what the test tells it to. Its certificate is its own root.
final class ScriptedControlPlane implements AutoCloseable {
    private final BlockingQueue<Stream> streams = new LinkedBlockingQueue<>();
    private final BlockingQueue<Metadata> headers = new LinkedBlockingQueue<>();
    private final X509Certificate certificate;
    private final Server server;

    /// @param port 0 = any
    ScriptedControlPlane(int port, String hostname) throws Exception {
        var generator = KeyPairGenerator.getInstance("EC");
        generator.initialize(256);
        var keys = generator.generateKeyPair();
        certificate = certificate(keys, hostname);
        var tls = GrpcSslContexts.configure(SslContextBuilder.forServer(keys.getPrivate(), certificate))
                .build();
        server = NettyServerBuilder.forAddress(new InetSocketAddress(InetAddress.getLoopbackAddress(), port))
                .sslContext(tls)
                .intercept(new ServerInterceptor() {
                    @Override
                    public <Q, A> ServerCall.Listener<Q> interceptCall(
                            ServerCall<Q, A> call, Metadata received, ServerCallHandler<Q, A> next) {
                        headers.add(received);
                        return next.startCall(call, received);
                    }
                })
                .addService(new AggregatedDiscoveryServiceImplBase() {
                    @Override
                    public StreamObserver<DeltaDiscoveryRequest> deltaAggregatedResources(
                            StreamObserver<DeltaDiscoveryResponse> responses) {
                        var stream = new Stream(responses);
                        streams.add(stream);
                        return stream;
                    }
                })
                .build()
                .start();
    }

    private static X509Certificate certificate(KeyPair keys, String hostname) throws Exception {
        var name = new X500Name("CN=" + hostname);
        var builder = new JcaX509v3CertificateBuilder(
                name,
                BigInteger.valueOf(System.nanoTime()),
                Date.from(Instant.now().minusSeconds(60)),
                Date.from(Instant.now().plusSeconds(3600)),
                name,
                keys.getPublic());
        builder.addExtension(
                Extension.subjectAlternativeName,
                false,
                new GeneralNames(new GeneralName(GeneralName.dNSName, hostname)));
        var signer = new JcaContentSignerBuilder("SHA256withECDSA").build(keys.getPrivate());
        return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
    }

    String rootPem() {
        return Pem.encode(certificate);
    }

    int port() {
        return server.getPort();
    }

    /// The next stream that a proxy opens.
    Stream stream() throws InterruptedException {
        return next(streams, "stream");
    }

    /// The metadata of the next stream.
    Metadata headers() throws InterruptedException {
        return next(headers, "metadata");
    }

    boolean wasAsked() {
        return !headers.isEmpty();
    }

    private static <T> T next(BlockingQueue<T> queue, String what) throws InterruptedException {
        var found = queue.poll(10, TimeUnit.SECONDS);
        if (found == null) {
            throw new AssertionError("no " + what + " within 10 s");
        }
        return found;
    }

    @Override
    public void close() throws IOException {
        try {
            if (!server.shutdownNow().awaitTermination(5, TimeUnit.SECONDS)) {
                throw new IOException("the server does not end");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static final class Stream implements StreamObserver<DeltaDiscoveryRequest> {
        private final BlockingQueue<DeltaDiscoveryRequest> requests = new LinkedBlockingQueue<>();
        private final StreamObserver<DeltaDiscoveryResponse> responses;

        Stream(StreamObserver<DeltaDiscoveryResponse> responses) {
            this.responses = responses;
        }

        DeltaDiscoveryRequest request() throws InterruptedException {
            return next(requests, "request");
        }

        void send(DeltaDiscoveryResponse.Builder response) {
            responses.onNext(response.build());
        }

        void end(Status status) {
            responses.onError(status.asRuntimeException());
        }

        @Override
        public void onNext(DeltaDiscoveryRequest request) {
            requests.add(request);
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {
            responses.onCompleted();
        }
    }
}
