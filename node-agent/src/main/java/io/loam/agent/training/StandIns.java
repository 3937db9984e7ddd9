package io.loam.agent.training;

import io.loam.agent.selftest.ThrowAwayAuthority;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.SeqPacketServer;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.rpc.RpcListenConfig;
import io.loam.protocol.rpc.RpcServer;
import io.loam.protocol.rpc.ServingCertificate;
import io.loam.protocol.tls.Pem;
import io.loam.protocol.zds.HeldListeners;
import io.loam.protocol.zds.ZdsAgentSession;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Everybody an agent talks to, on loopback and in a folder: control plane and CA over gRPC and TLS, the
/// privileged half over ZDS. Ends with {@link #close}.
public final class StandIns implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(StandIns.class);
    private static final int MAX_REQUEST_BYTES = 1 << 20;
    private static final Duration CONNECTION_AGE = Duration.ofHours(1);
    private static final Duration ACCEPT_WAIT = Duration.ofMillis(200);

    private final Path roots;
    private final Path socket;
    private final RpcServer server;
    private final SeqPacketServer zds;
    private final boolean withPod;
    private volatile boolean closed;

    private StandIns(Path roots, Path socket, RpcServer server, SeqPacketServer zds, boolean withPod) {
        this.roots = roots;
        this.socket = socket;
        this.server = server;
        this.zds = zds;
        this.withPod = withPod;
    }

    /// @param folder for the roots and the socket; the caller's
    /// @param withPod whether a pod in this process's own network namespace is handed over: only where the
    ///     agent has what it takes to open its listeners
    public static StandIns start(Path folder, boolean withPod) throws IOException, GeneralSecurityException {
        var authority = new ThrowAwayAuthority(InstantSource.system());
        var keys = ThrowAwayAuthority.keys();
        var serving = new ServingCertificate(keys.getPrivate(), List.of(authority.loopbackServer(keys.getPublic())));
        var roots = Files.writeString(folder.resolve("roots.pem"), Pem.encode(authority.root()));
        var socket = folder.resolve("zds.sock");
        var loopback = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        var server = RpcServer.start(
                "training",
                RpcListenConfig.of(new InetSocketAddress(loopback, 0), MAX_REQUEST_BYTES, CONNECTION_AGE),
                () -> serving,
                InstantSource.system(),
                List.of(new TrainingMesh().bindService(), new TrainingCertificates(authority).bindService()));
        try {
            var standIns = new StandIns(roots, socket, server, SeqPacketServer.listen(socket), withPod);
            Thread.ofPlatform().daemon().name("training-zds").start(standIns::serveZds);
            return standIns;
        } catch (IOException | RuntimeException e) {
            server.close();
            throw e;
        }
    }

    /// What the agent reads from its environment to find them; the names are those of wire reference, section
    /// 11.
    public Map<String, String> environment() {
        var address = "https://127.0.0.1:" + server.address().getPort();
        return Map.of(
                "NODE_NAME",
                "training",
                "XDS_ADDRESS",
                address,
                "CA_ADDRESS",
                address,
                "XDS_ROOT_CA",
                roots.toString(),
                "CA_ROOT_CA",
                roots.toString(),
                "INPOD_UDS",
                socket.toString());
    }

    private void serveZds() {
        while (!closed) {
            try {
                var accepted = zds.accept(ACCEPT_WAIT);
                if (accepted != null) {
                    serve(accepted);
                }
            } catch (IOException e) { // the agent's end closes it at the end of the training
                log.debug("session of the privileged half ended", e);
            }
        }
    }

    private void serve(SeqPacketSocket accepted) throws IOException {
        try (var session = new ZdsAgentSession(accepted);
                var own = Netns.current()) {
            session.awaitHello();
            if (withPod) {
                var answer = session.add(
                        new Add("training", new WorkloadInfo("pod-0", "shop", "account-0")),
                        own.descriptor(),
                        new HeldListeners());
                var handedOver = answer.listeners();
                if (handedOver != null) {
                    handedOver.close();
                }
                if (!answer.error().isEmpty()) {
                    throw new IOException("the agent refused the pod: " + answer.error());
                }
            }
            session.snapshotSent();
            while (!closed) {
                session.requireSilence();
                Thread.sleep(ACCEPT_WAIT);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public void close() {
        closed = true;
        zds.close();
        server.close();
    }
}
