package io.loam.jmh;

import io.loam.protocol.hbone.ConnectFailure;
import io.loam.protocol.hbone.ConnectRequest;
import io.loam.protocol.hbone.ConnectResponse;
import io.loam.protocol.hbone.PendingStream;
import io.loam.protocol.hbone.StreamOpening;
import io.loam.protocol.hbone.TunnelStream;
import io.netty.buffer.ByteBuf;
import java.net.InetSocketAddress;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/// Question: what do both ends of a tunnel pay for one read of the application, and for one connection of it, without
/// the kernel?
///
/// Expected: for a read of 16 KiB at most 12 µs with TLS (encryption and decryption alone are 6.2 µs), of 256 KiB at
/// most 200 µs; heap bytes only from the test's own channels and from Netty's frame writer, at most 2 KiB for a frame.
/// To open and close a connection: at most 60 µs and 16 KiB for both ends together.
@State(Scope.Benchmark)
public class TunnelBenchmark {
    /// As in life, no two connections in a row come from the same port or belong to the same trace.
    private static final ConnectRequest[] REQUESTS = requests(1024);

    private static final int FIRST_PORT = 32_768;
    private static final int LARGEST_READ_BYTES = 256 << 10;

    /// What the agent reads at a time at most, so a large transfer is several writes and one flush.
    private static final int READ_BYTES = 60 << 10;

    @Param({"false", "true"})
    public boolean tls;

    /// A field of its own, so that it is built when the parameter is known.
    private @Nullable Ends ends;

    @TearDown
    public void close() {
        ends().tunnel.close();
        ends().payload.release();
    }

    @Benchmark
    public long relay16KiB() {
        return ends().relay(16 << 10);
    }

    @Benchmark
    public long relay256KiB() {
        return ends().relay(LARGEST_READ_BYTES);
    }

    @Benchmark
    public long openAndClose() {
        return ends().openAndClose();
    }

    private Ends ends() {
        if (ends == null) {
            ends = new Ends(tls);
        }
        return ends;
    }

    private static ConnectRequest[] requests(int count) {
        var fields = new HeaderBenchmark();
        return IntStream.range(0, count)
                .mapToObj(i -> fields.encode(new InetSocketAddress(Meshes.podAddress(1), FIRST_PORT + i)))
                .toArray(ConnectRequest[]::new);
    }

    /// One open stream and what its server end received.
    private static final class Ends {
        final EmbeddedTunnel tunnel;
        final ByteBuf payload;
        private final Client client = new Client();
        private long received;
        private long finished;
        private int asked;

        Ends(boolean tls) {
            tunnel = new EmbeddedTunnel(tls, (request, pending) -> new Server(pending));
            payload = tunnel.client().alloc().directBuffer(LARGEST_READ_BYTES).writeZero(LARGEST_READ_BYTES);
            tunnel.tunnel().open(REQUESTS[0], client);
            tunnel.exchange();
        }

        long relay(int bytes) {
            var to = client.opened();
            long expected = received + bytes;
            for (int from = 0; from < bytes; from += READ_BYTES) {
                to.write(payload.retainedSlice(from, Math.min(READ_BYTES, bytes - from)));
            }
            to.flush();
            tunnel.exchange();
            if (received != expected) {
                throw new IllegalStateException("received " + received + " (expected: " + expected + ")");
            }
            return received;
        }

        long openAndClose() {
            var connection = new Client();
            long before = finished;
            tunnel.tunnel().open(REQUESTS[asked++ % REQUESTS.length], connection);
            tunnel.exchange();
            connection.opened().endStream();
            tunnel.exchange();
            if (finished != before + 1) {
                throw new IllegalStateException("the connection did not end");
            }
            return finished;
        }

        private final class Client extends QuietListener implements StreamOpening {
            private @Nullable TunnelStream opened;

            TunnelStream opened() {
                if (opened == null) {
                    throw new IllegalStateException("the stream did not open");
                }
                return opened;
            }

            @Override
            public TunnelStream.Listener onOpened(TunnelStream stream, ConnectResponse response) {
                opened = stream;
                return this;
            }

            @Override
            public void onFailed(ConnectFailure failure) {
                throw new IllegalStateException(failure.reason());
            }

            @Override
            public void onFinished() {
                finished++;
            }
        }

        /// Takes everything at once and ends when the client does.
        private final class Server extends QuietListener {
            private final TunnelStream accepted;
            private int owed;

            Server(PendingStream pending) {
                accepted = pending.accept(ConnectResponse.PLAIN, this);
            }

            @Override
            public void onData(ByteBuf data) {
                received += data.readableBytes();
                owed += data.readableBytes();
                data.release();
            }

            @Override
            public void onReadComplete() {
                accepted.credit(owed);
                owed = 0;
            }

            @Override
            public void onEndStream() {
                accepted.endStream();
            }
        }
    }

    private abstract static class QuietListener implements TunnelStream.Listener {
        @Override
        public void onData(ByteBuf data) {
            data.release();
        }

        @Override
        public void onReadComplete() {}

        @Override
        public void onEndStream() {}

        @Override
        public void onFinished() {}

        @Override
        public void onReset(long errorCode) {}

        @Override
        public void onWritable() {}

        @Override
        public void onBug(Throwable cause) {
            throw new IllegalStateException("a stream of the benchmark failed", cause);
        }
    }
}
