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
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Phaser;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// New connections from pods, in turn, at a fixed rate, each for one request, whether the ones before have been
/// answered or not: who is held up makes nobody else wait. Ends each by a reset, so that ports do not run out.
public final class OpenLoopLoad implements AutoCloseable {
    /// What an agent may take to come back on a busy machine, and more.
    private static final int TIMEOUT_MILLIS = 60_000;

    private static final int LOOK_MILLIS = 10;

    private final List<Netns> pods;
    private final InetSocketAddress to;
    private final byte[] request;
    private final String answer;
    private final long intervalNanos;
    private final ConcurrentLinkedQueue<Sample> samples = new ConcurrentLinkedQueue<>();
    private final Phaser underWay = new Phaser(1);
    private final Thread opener;
    private volatile boolean stopped;
    private volatile long lastAnswer = System.nanoTime();

    /// One connection. Times are those of nanoTime.
    ///
    /// @param due when it was to be opened: what it waited for counts from here
    /// @param begun when the connection was really opened
    /// @param failure null if the answer came, whole
    public record Sample(
            long due, long begun, long done, @Nullable String failure) {
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
        this.intervalNanos = TimeUnit.SECONDS.toNanos(1) / perSecond;
        this.opener = Thread.ofPlatform().daemon().name("open-loop-load").unstarted(this::run);
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
        var load = new OpenLoopLoad(pods, to, perSecond, request, answer);
        load.opener.start();
        return load;
    }

    private void run() {
        long due = System.nanoTime();
        int next = 0;
        while (!stopped) {
            long wait = due - System.nanoTime();
            if (wait > 0) {
                LockSupport.parkNanos(wait);
                continue;
            }
            long thisDue = due;
            due += intervalNanos;
            underWay.register();
            SocketChannel channel;
            try {
                channel = pods.get(next++ % pods.size())
                        .call(SocketChannel::open); // on this platform thread; the rest on a virtual one
            } catch (IOException e) {
                done(new Sample(thisDue, System.nanoTime(), System.nanoTime(), "no socket: " + e));
                continue;
            }
            Thread.ofVirtual().start(() -> ask(channel, thisDue));
        }
    }

    private void ask(SocketChannel channel, long due) {
        long begun = System.nanoTime();
        String failure = null;
        try (channel) {
            channel.setOption(StandardSocketOptions.SO_LINGER, 0);
            var socket = channel.socket();
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.connect(to, TIMEOUT_MILLIS);
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
        done(new Sample(due, begun, System.nanoTime(), failure));
    }

    private void done(Sample sample) {
        samples.add(sample);
        if (sample.failure == null) {
            lastAnswer = Math.max(lastAnswer, sample.begun);
        }
        underWay.arriveAndDeregister();
    }

    /// Waits until a connection that was opened after this moment has been answered.
    public void awaitAnswerTo(long openedAfter) throws InterruptedException, TimeoutException {
        long deadline = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(TIMEOUT_MILLIS);
        while (lastAnswer - openedAfter <= 0) {
            if (System.nanoTime() - deadline > 0) {
                throw new TimeoutException("no new connection was answered within " + TIMEOUT_MILLIS + " ms");
            }
            Thread.sleep(LOOK_MILLIS);
        }
    }

    /// Opens no more and waits for those under way.
    ///
    /// @return all of them
    public List<Sample> stop() throws InterruptedException, TimeoutException {
        stopped = true;
        opener.join();
        int phase = underWay.arriveAndDeregister();
        underWay.awaitAdvanceInterruptibly(phase, 2L * TIMEOUT_MILLIS, TimeUnit.MILLISECONDS);
        pods.forEach(Netns::close);
        return List.copyOf(samples);
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
            throw new IllegalStateException("connections that neither end nor fail", e);
        }
    }
}
