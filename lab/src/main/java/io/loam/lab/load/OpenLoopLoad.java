package io.loam.lab.load;

import io.loam.protocol.linux.Netns;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// New connections from pods, in turn, at a fixed rate, each for one request, whether the ones before have been
/// answered or not: who is held up makes nobody else wait. Ends each by a reset, so that ports do not run out.
public final class OpenLoopLoad implements AutoCloseable {
    /// What an agent may take to come back on a busy machine, and more.
    private static final Duration PATIENCE = Duration.ofMinutes(1);

    private final List<Netns> pods;
    private final InetSocketAddress to;
    private final byte[] request;
    private final String answer;
    private final FixedRate<Sample> load;
    private int next;

    /// One connection. Times are those of nanoTime.
    ///
    /// @param due when it was to be opened: what it waited for counts from here
    /// @param begun when the connection was really opened
    /// @param failure null if the answer came, whole
    public record Sample(
            long due, long begun, long done, @Nullable String failure) implements FixedRate.Outcome {
        public Duration delay() {
            return Duration.ofNanos(done - due);
        }

        /// From the start of its connection.
        public Duration waited() {
            return Duration.ofNanos(done - begun);
        }
    }

    private OpenLoopLoad(List<Netns> pods, InetSocketAddress to, int perSecond, String request, String answer) {
        this.pods = pods;
        this.to = to;
        this.request = request.getBytes(StandardCharsets.US_ASCII);
        this.answer = answer;
        this.load = FixedRate.start(perSecond, PATIENCE, this::open);
    }

    /// @param namespaces of the pods
    /// @param perSecond of all pods together
    /// @param request sent on each connection
    /// @param answer what has to come back
    public static OpenLoopLoad start(
            List<Path> namespaces, InetSocketAddress to, int perSecond, String request, String answer)
            throws IOException {
        var pods = new ArrayList<Netns>();
        for (var namespace : namespaces) {
            pods.add(Netns.open(namespace));
        }
        return new OpenLoopLoad(pods, to, perSecond, request, answer);
    }

    private Supplier<Sample> open(long due) {
        try {
            var channel = pods.get(next++ % pods.size()).call(SocketChannel::open);
            return () -> ask(channel, due);
        } catch (IOException e) {
            long now = System.nanoTime();
            return () -> new Sample(due, now, now, "no socket: " + e);
        }
    }

    private Sample ask(SocketChannel channel, long due) {
        long begun = System.nanoTime();
        String failure = null;
        try (channel) {
            channel.setOption(StandardSocketOptions.SO_LINGER, 0);
            int timeoutMillis = (int) PATIENCE.toMillis();
            var socket = channel.socket();
            socket.setSoTimeout(timeoutMillis);
            socket.connect(to, timeoutMillis);
            socket.getOutputStream().write(request);
            var received = new ByteArrayOutputStream();
            while (received.size() < answer.length()) {
                int next = socket.getInputStream().read();
                if (next < 0) {
                    break;
                }
                received.write(next);
            }
            var text = received.toString(StandardCharsets.US_ASCII);
            if (!text.equals(answer)) {
                failure = "answer '" + text + "'";
            }
        } catch (IOException e) {
            failure = e.toString();
        }
        return new Sample(due, begun, System.nanoTime(), failure);
    }

    /// Waits until a connection that was opened after this moment has been answered.
    public void awaitAnswerTo(long openedAfter) throws InterruptedException, TimeoutException {
        load.awaitAnswerTo(openedAfter);
    }

    /// Opens no more and waits for those under way.
    ///
    /// @return all of them
    public List<Sample> stop() throws InterruptedException, TimeoutException {
        var samples = load.stop();
        pods.forEach(Netns::close);
        return samples;
    }

    @Override
    public void close() {
        load.close();
        pods.forEach(Netns::close);
    }
}
