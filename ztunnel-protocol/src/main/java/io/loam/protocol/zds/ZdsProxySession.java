package io.loam.protocol.zds;

import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.linux.SeqPacketSocket.Received;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.SnapshotSent;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The node proxy's end of ZDS: says hello, then answers each request before the next can come.
///
/// ```java
/// try (var zds = ZdsProxySession.connect(path)) {
///     while (true) {
///         switch (zds.receive(timeout)) { case Incoming.Add(var uid, var info, var netns, var _) -> …;
///     zds.ack(); … } }
/// }
/// ```
/// Every method blocks; one platform thread at a time, but {@link #close} may come from any.
public final class ZdsProxySession implements AutoCloseable {
    private static final Duration SEND_DEADLINE = Duration.ofSeconds(5);

    private final SeqPacketSocket socket;
    private boolean snapshotReceived;

    private ZdsProxySession(SeqPacketSocket socket) {
        this.socket = socket;
    }

    /// Connects and says hello.
    public static ZdsProxySession connect(Path path) throws IOException {
        var socket = SeqPacketSocket.connect(path);
        try {
            socket.send(ZdsCodec.hello(), List.of(), SEND_DEADLINE);
            return new ZdsProxySession(socket);
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    /// Waits for the next request.
    ///
    /// @throws ZdsProtocolException if it breaks the rules: an Add with other descriptors than one and those
    ///     of the listeners it announces, another message with one, Keep or SnapshotSent after the snapshot
    /// @throws IOException if the other side has gone
    public Incoming receive(Duration timeout) throws IOException {
        return switch (socket.receive(ZdsCodec.MAX_MESSAGE_BYTES, timeout)) {
            case Received.Nothing _ -> new Incoming.Nothing();
            case Received.End _ -> throw new IOException("the privileged half closed the connection");
            case Received.Message message -> {
                try {
                    var incoming = incoming(message);
                    if (!(incoming instanceof Incoming.Add)) {
                        requireDescriptors(message, 0);
                    }
                    yield incoming;
                } catch (IOException | RuntimeException e) {
                    message.descriptors().forEach(FileDescriptor::close);
                    throw e;
                }
            }
        };
    }

    private Incoming incoming(Received.Message message) throws ZdsProtocolException {
        return switch (ZdsCodec.decodeRequest(message.bytes())) {
            case Add(var uid, var workload, var listeners) -> {
                var descriptors = message.descriptors();
                if (listeners == null || descriptors.isEmpty()) {
                    requireDescriptors(message, 1);
                }
                var held = listeners == null
                        ? null
                        : HeldListeners.of(listeners, descriptors.subList(1, descriptors.size()));
                yield new Incoming.Add(uid, workload, Netns.of(descriptors.getFirst()), held);
            }
            case Keep(var uid) -> {
                requireBeforeSnapshot("keep " + uid);
                yield new Incoming.Keep(uid);
            }
            case Del(var uid) -> new Incoming.Del(uid);
            case SnapshotSent() -> {
                requireBeforeSnapshot("snapshot_sent");
                snapshotReceived = true;
                yield new Incoming.SnapshotSent();
            }
        };
    }

    /// Answers the last request: done.
    public void ack() throws IOException {
        refuse("");
    }

    /// Answers the last request: not done.
    ///
    /// @param error what hinders; the privileged half logs it
    public void refuse(String error) throws IOException {
        socket.send(ZdsCodec.ack(error), List.of(), SEND_DEADLINE);
    }

    /// Answers the last request, an Add that had {@link Incoming.Add#held}: done.
    ///
    /// @param listeners to be kept from now on in place of what was; stay the caller's. None for datagrams
    ///     unless {@link HeldListeners#datagramsKept}
    public void handOver(HeldListeners listeners) throws IOException {
        socket.send(ZdsCodec.ack(listeners.groups(true)), listeners.descriptors(true), SEND_DEADLINE);
    }

    private void requireBeforeSnapshot(String what) throws ZdsProtocolException {
        if (snapshotReceived) {
            throw new ZdsProtocolException(what + ": after the snapshot (expected: add or del only)");
        }
    }

    private static void requireDescriptors(Received.Message message, int expected) throws ZdsProtocolException {
        var found = message.descriptors().size();
        if (found != expected) {
            throw new ZdsProtocolException(
                    found + " descriptors with the message (expected: " + expected + ", one with add, none otherwise)");
        }
    }

    @Override
    public void close() {
        socket.close();
    }

    /// What the privileged half wants; each but {@link Nothing} has to be answered.
    public sealed interface Incoming {
        /// @param netns passes into the ownership of the receiver
        /// @param held listeners of the pod that the privileged half keeps, perhaps none yet; pass into the
        ///     ownership of the receiver, who has still to see what they are. Null if it keeps none
        record Add(
                String uid,
                WorkloadInfo workload,
                Netns netns,
                @Nullable HeldListeners held) implements Incoming {}

        record Keep(String uid) implements Incoming {}

        record Del(String uid) implements Incoming {}

        record SnapshotSent() implements Incoming {}

        /// The time is over.
        record Nothing() implements Incoming {}
    }
}
