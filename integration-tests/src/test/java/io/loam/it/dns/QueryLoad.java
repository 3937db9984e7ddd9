package io.loam.it.dns;

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
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// Queries for addresses from a pod at a fixed rate, each from a socket of its own as the C library sends
/// them, whether the ones before have been answered or not. **Nothing is repeated**: a query that is lost
/// stays lost, where a program would wait 5 s and ask again.
final class QueryLoad implements AutoCloseable {
    /// What an agent may take to come back on a busy machine, and more.
    private static final Duration PATIENCE = Duration.ofSeconds(30);

    private static final int LOOK_MILLIS = 10;
    private static final int RESPONSE = 0x8000;

    private final Netns pod;
    private final List<Question> questions;
    private final long intervalNanos;
    private final ConcurrentLinkedQueue<Sample> samples = new ConcurrentLinkedQueue<>();
    private final Map<Channel, Long> waiting = new ConcurrentHashMap<>();
    private final Phaser underWay = new Phaser(1);
    private final Thread asker;
    private volatile boolean stopped;
    private volatile long lastAnswer = System.nanoTime();

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
            @Nullable String failure) {
        Duration delay() {
            return Duration.ofNanos(done - begun);
        }
    }

    private QueryLoad(Netns pod, List<Question> questions, int perSecond) {
        this.pod = pod;
        this.questions = List.copyOf(questions);
        intervalNanos = TimeUnit.SECONDS.toNanos(1) / perSecond;
        asker = Thread.ofPlatform().daemon().name("query-load").unstarted(this::run);
    }

    /// @param namespace of the pod
    /// @param questions asked in turn
    static QueryLoad start(Path namespace, List<Question> questions, int perSecond) throws IOException {
        var load = new QueryLoad(Netns.open(namespace), questions, perSecond);
        load.asker.start();
        return load;
    }

    private void run() {
        long due = System.nanoTime();
        for (int i = 0; !stopped; ) {
            long wait = due - System.nanoTime();
            if (wait > 0) {
                LockSupport.parkNanos(wait);
                continue;
            }
            due += intervalNanos;
            var question = questions.get(i++ % questions.size());
            int id = i & 0xffff;
            underWay.register();
            try {
                if (question.tcp) { // opened on this platform thread; the rest on a virtual one
                    var socket = pod.call(SocketChannel::open);
                    Thread.ofVirtual().start(() -> ask(question, socket, () -> overTcp(socket, question, id)));
                } else {
                    var socket = pod.call(DatagramChannel::open);
                    Thread.ofVirtual().start(() -> ask(question, socket, () -> overUdp(socket, question, id)));
                }
            } catch (IOException e) {
                done(new Sample(question, System.nanoTime(), System.nanoTime(), "no socket: " + e));
            }
        }
    }

    private void ask(Question question, Channel socket, Exchange exchange) {
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
        done(new Sample(question, begun, System.nanoTime(), failure));
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

    private void done(Sample sample) {
        samples.add(sample);
        if (sample.failure == null) {
            lastAnswer = Math.max(lastAnswer, sample.begun);
        }
        underWay.arriveAndDeregister();
    }

    /// Waits until a query that was sent after this moment has been answered.
    void awaitAnswerTo(long sentAfter) throws InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        while (lastAnswer - sentAfter <= 0) {
            if (System.nanoTime() - deadline > 0) {
                throw new TimeoutException("no new query was answered within " + PATIENCE);
            }
            Thread.sleep(LOOK_MILLIS);
        }
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
        stopped = true;
        asker.join();
        int phase = underWay.arriveAndDeregister();
        underWay.awaitAdvanceInterruptibly(phase, 2 * PATIENCE.toSeconds(), TimeUnit.SECONDS);
        pod.close();
        return new ArrayList<>(samples);
    }

    @Override
    public void close() {
        if (stopped) {
            return;
        }
        try {
            stop();
        } catch (InterruptedException _) {
            Thread.currentThread().interrupt();
        } catch (TimeoutException e) {
            throw new IllegalStateException("queries that neither end nor fail", e);
        }
    }
}
