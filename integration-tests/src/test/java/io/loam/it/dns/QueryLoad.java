package io.loam.it.dns;

import io.loam.lab.load.FixedRate;
import io.loam.protocol.linux.Netns;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.DatagramPacket;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Queries for addresses from a pod at a fixed rate, each from a socket of its own as the C library sends
/// them, whether the ones before have been answered or not. **Nothing is repeated**: a query that is lost
/// stays lost, where a program would wait 5 s and ask again.
final class QueryLoad implements AutoCloseable {
    /// What an agent may take to come back on a busy machine, and more.
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final int RESPONSE = 0x8000;

    private final Netns pod;
    private final List<Question> questions;
    private final Map<Channel, Long> waiting = new ConcurrentHashMap<>();
    private final FixedRate<Sample> load;
    private int next;

    /// @param resolver whom the program asks
    /// @param name asked for an IPv4 address, and has one
    record Question(String name, InetSocketAddress resolver, boolean tcp) {}

    /// One query. Times are those of nanoTime.
    ///
    /// @param failure null if an address came
    record Sample(
            Question question,
            long begun,
            long done,
            @Nullable String failure) implements FixedRate.Outcome {
        Duration delay() {
            return Duration.ofNanos(done - begun);
        }
    }

    private QueryLoad(Netns pod, List<Question> questions, int perSecond) {
        this.pod = pod;
        this.questions = List.copyOf(questions);
        this.load = FixedRate.start(perSecond, PATIENCE, this::open);
    }

    /// @param namespace of the pod
    /// @param questions asked in turn
    static QueryLoad start(Path namespace, List<Question> questions, int perSecond) throws IOException {
        return new QueryLoad(Netns.open(namespace), questions, perSecond);
    }

    private Supplier<Sample> open(long due) {
        var question = questions.get(next++ % questions.size());
        int id = next & 0xffff;
        try {
            if (question.tcp) {
                var socket = pod.call(SocketChannel::open);
                return () -> ask(question, socket, () -> overTcp(socket, question, id));
            }
            var socket = pod.call(DatagramChannel::open);
            return () -> ask(question, socket, () -> overUdp(socket, question, id));
        } catch (IOException e) {
            return () -> new Sample(question, due, System.nanoTime(), "no socket: " + e);
        }
    }

    private Sample ask(Question question, Channel socket, Exchange exchange) {
        long begun = System.nanoTime();
        waiting.put(socket, begun);
        String failure = null;
        try {
            var answer = exchange.run();
            int flags = answer.getShort(2);
            int addresses = answer.getShort(6);
            if ((flags & RESPONSE) == 0 || (flags & 0xf) != 0 || addresses < 1) {
                failure = "flags 0x" + Integer.toHexString(flags & 0xffff) + ", " + addresses + " addresses";
            }
        } catch (IOException e) {
            failure = e.toString();
        }
        waiting.remove(socket);
        return new Sample(question, begun, System.nanoTime(), failure);
    }

    private interface Exchange {
        ByteBuffer run() throws IOException;
    }

    private static ByteBuffer overUdp(DatagramChannel channel, Question question, int id) throws IOException {
        try (channel) {
            channel.connect(question.resolver);
            var socket = channel.socket();
            socket.setSoTimeout((int) PATIENCE.toMillis());
            var query = message(question.name, id);
            socket.send(new DatagramPacket(query, query.length));
            var answer = new DatagramPacket(new byte[512], 512);
            socket.receive(answer);
            return requireId(ByteBuffer.wrap(answer.getData(), 0, answer.getLength()), id);
        }
    }

    private static ByteBuffer overTcp(SocketChannel channel, Question question, int id) throws IOException {
        try (channel) {
            var socket = channel.socket();
            socket.setSoTimeout((int) PATIENCE.toMillis());
            socket.connect(question.resolver, (int) PATIENCE.toMillis());
            var query = message(question.name, id);
            var framed = ByteBuffer.allocate(2 + query.length);
            socket.getOutputStream()
                    .write(framed.putShort((short) query.length).put(query).array());
            var in = new DataInputStream(socket.getInputStream());
            return requireId(ByteBuffer.wrap(in.readNBytes(in.readUnsignedShort())), id);
        }
    }

    private static ByteBuffer requireId(ByteBuffer answer, int id) throws IOException {
        if (answer.remaining() < 12 || (answer.getShort(0) & 0xffff) != id) {
            throw new IOException("an answer to another query");
        }
        return answer;
    }

    private static byte[] message(String name, int id) {
        var message = ByteBuffer.allocate(512);
        message.putShort((short) id)
                .putShort((short) 0x0100)
                .putShort((short) 1)
                .position(12);
        for (var label : name.split("\\.")) {
            message.put((byte) label.length()).put(label.getBytes(StandardCharsets.US_ASCII));
        }
        message.put((byte) 0).putShort((short) 1).putShort((short) 1).flip();
        var bytes = new byte[message.remaining()];
        message.get(bytes);
        return bytes;
    }

    /// Waits until a query that was sent after this moment has been answered.
    void awaitAnswerTo(long sentAfter) throws InterruptedException, TimeoutException {
        load.awaitAnswerTo(sentAfter);
    }

    /// Waits no longer for answers to what was sent before this moment.
    void giveUpBefore(long moment) throws IOException {
        for (var entry : waiting.entrySet()) {
            if (entry.getValue() - moment < 0) {
                entry.getKey().close();
            }
        }
    }

    /// Sends no more and waits for those under way.
    ///
    /// @return all of them
    List<Sample> stop() throws InterruptedException, TimeoutException {
        var samples = load.stop();
        pod.close();
        return samples;
    }

    @Override
    public void close() {
        load.close();
        pod.close();
    }
}
