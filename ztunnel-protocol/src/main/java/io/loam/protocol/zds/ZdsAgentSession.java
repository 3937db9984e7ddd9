package io.loam.protocol.zds;

import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.SeqPacketSocket;
import io.loam.protocol.linux.SeqPacketSocket.Received;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.SnapshotSent;
import java.io.IOException;
import java.time.Duration;

/// The privileged half's end of one connection from a node proxy: strict request and ack, one outstanding.
///
/// Every method blocks, at most for its deadlines; one platform thread at a time. An IOException ends the session: the
/// caller closes it.
public final class ZdsAgentSession implements AutoCloseable {
    /// For a message to leave and for its answer to come, each.
    public static final Duration DEADLINE = Duration.ofSeconds(5);
    /// How often an idle session is to be checked with {@link #requireSilence}.
    public static final Duration LIVENESS_INTERVAL = Duration.ofSeconds(5);

    private static final Duration LIVENESS_READ = Duration.ofMillis(10);

    private final SeqPacketSocket socket;

    /// @param socket just accepted; passes into the ownership of this object
    public ZdsAgentSession(SeqPacketSocket socket) {
        this.socket = socket;
    }

    /// The proxy speaks first.
    public void awaitHello() throws IOException {
        ZdsCodec.requireHello(next("hello"));
    }

    /// @param netns stays the caller's
    /// @return the proxy's error, "" if it accepted
    public String add(Add add, FileDescriptor netns) throws IOException {
        socket.send(ZdsCodec.encode(add), netns, DEADLINE);
        return ZdsCodec.decodeAck(next("ack of add " + add.uid()));
    }

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
        socket.send(ZdsCodec.encode(request), null, DEADLINE);
        return ZdsCodec.decodeAck(next("ack of " + request));
    }

    private byte[] next(String expected) throws IOException {
        return switch (socket.receive(ZdsCodec.MAX_MESSAGE_BYTES, DEADLINE)) {
            case Received.Nothing _ -> throw new IOException(expected + ": none within " + DEADLINE);
            case Received.End _ -> throw new IOException(expected + ": the proxy closed the connection");
            case Received.Message message -> {
                message.descriptors().forEach(FileDescriptor::close);
                if (!message.descriptors().isEmpty()) {
                    throw new ZdsProtocolException(expected + ": came with a descriptor");
                }
                yield message.bytes();
            }
        };
    }

    @Override
    public void close() {
        socket.close();
    }
}
