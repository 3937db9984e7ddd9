package io.loam.protocol.zds;

import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.linux.SeqPacketSocket.Received;
import io.loam.protocol.zds.HeldListeners.ListenerGroup;
import io.loam.protocol.zds.HeldListeners.ListenerGroups;
import io.loam.protocol.zds.ZdsCodec.HandOver;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.SnapshotSent;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The privileged half's end of one connection from a node proxy: strict request and ack, one outstanding.
///
/// Every method blocks, at most for its deadlines; one platform thread at a time. An IOException ends the
/// session: the caller closes it.
public final class ZdsAgentSession implements AutoCloseable {
    /// For a message to leave and for its answer to come, each.
    public static final Duration DEADLINE = Duration.ofSeconds(5);
    /// How often an idle session is to be checked with {@link #requireSilence}.
    public static final Duration LIVENESS_INTERVAL = Duration.ofSeconds(5);

    private static final Duration LIVENESS_READ = Duration.ofMillis(10);

    private final SeqPacketSocket socket;
    private HandOver handOver = HandOver.NOTHING;

    /// @param socket just accepted; passes into the ownership of this object
    public ZdsAgentSession(SeqPacketSocket socket) {
        this.socket = socket;
    }

    /// The proxy speaks first.
    public void awaitHello() throws IOException {
        handOver = ZdsCodec.requireHello(bytes("hello"));
    }

    /// What the proxy has said that it hands over. To be asked after {@link #awaitHello}.
    public HandOver handOver() {
        return handOver;
    }

    public boolean handsOver() {
        return handOver != HandOver.NOTHING;
    }

    /// The process at the other end.
    public long peerPid() throws IOException {
        return socket.peerPid();
    }

    /// @param netns stays the caller's
    /// @param held what is kept for the pod, perhaps nothing; stays the caller's. A proxy is told of those
    ///     kinds that it hands over itself
    public AddAnswer add(Add add, FileDescriptor netns, HeldListeners held) throws IOException {
        var passed = new ArrayList<>(List.of(netns));
        var said = add;
        if (handsOver()) {
            boolean datagrams = handOver == HandOver.ALL;
            said = new Add(add.uid(), add.workload(), held.groups(datagrams));
            passed.addAll(held.descriptors(datagrams));
        }
        socket.send(ZdsCodec.encode(said), passed, DEADLINE);
        var what = "ack of add " + add.uid();
        var message = next(what);
        try {
            var answer = ZdsCodec.decodeAck(message.bytes());
            var groups = answer.listeners();
            if (groups != null && !fits(groups)) {
                throw new ZdsProtocolException(what + ": listeners that nobody asked for");
            }
            var listeners = HeldListeners.of(groups == null ? ListenerGroups.NONE : groups, message.descriptors());
            return new AddAnswer(answer.error(), groups == null ? null : listeners);
        } catch (IOException | RuntimeException e) {
            message.descriptors().forEach(FileDescriptor::close);
            throw e;
        }
    }

    private boolean fits(ListenerGroups groups) {
        return switch (handOver) {
            case NOTHING -> false;
            case LISTENERS -> groups.groups().stream().noneMatch(ListenerGroup::datagrams);
            case ALL -> true;
        };
    }

    /// @param error the proxy's, "" if it accepted
    /// @param listeners to be kept from now on in place of what was, null if that stays; passes into the
    ///     ownership of the receiver
    public record AddAnswer(String error, @Nullable HeldListeners listeners) {}

    /// @return the proxy's error, "" if it accepted
    public String keep(Keep keep) throws IOException {
        return exchange(keep);
    }

    /// @return the proxy's error, "" if it accepted
    public String del(Del del) throws IOException {
        return exchange(del);
    }

    /// @return the proxy's error, "" if it accepted
    public String snapshotSent() throws IOException {
        return exchange(new SnapshotSent());
    }

    /// Checks an idle session: unsolicited bytes and the end of the stream both end it.
    public void requireSilence() throws IOException {
        switch (socket.receive(ZdsCodec.MAX_MESSAGE_BYTES, LIVENESS_READ)) {
            case Received.Nothing _ -> {}
            case Received.End _ -> throw new IOException("the proxy closed the connection");
            case Received.Message message -> {
                message.descriptors().forEach(FileDescriptor::close);
                throw new ZdsProtocolException(message.bytes().length + " unsolicited bytes from the proxy");
            }
        }
    }

    private String exchange(ZdsRequest request) throws IOException {
        socket.send(ZdsCodec.encode(request), List.of(), DEADLINE);
        var answer = ZdsCodec.decodeAck(bytes("ack of " + request));
        if (answer.listeners() != null) {
            throw new ZdsProtocolException("ack of " + request + ": listeners (expected: with the ack of an add only)");
        }
        return answer.error();
    }

    private byte[] bytes(String expected) throws IOException {
        var message = next(expected);
        message.descriptors().forEach(FileDescriptor::close);
        if (!message.descriptors().isEmpty()) {
            throw new ZdsProtocolException(expected + ": came with a descriptor");
        }
        return message.bytes();
    }

    private Received.Message next(String expected) throws IOException {
        return switch (socket.receive(ZdsCodec.MAX_MESSAGE_BYTES, DEADLINE)) {
            case Received.Nothing _ -> throw new IOException(expected + ": none within " + DEADLINE);
            case Received.End _ -> throw new IOException(expected + ": the proxy closed the connection");
            case Received.Message message -> message;
        };
    }

    @Override
    public void close() {
        socket.close();
    }
}
