package io.loam.runtime.relay;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.management.ThreadMXBean;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.DefaultEventLoop;
import io.netty.channel.RecvByteBufAllocator.ExtendedHandle;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.ResourceLeakDetector;
import io.netty.util.ResourceLeakDetector.Level;
import java.lang.management.ManagementFactory;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Fast path, rule 3.
class AdaptiveReadsTest {
    private static final int KIB = 1024;

    /// 64 KiB less the kernel's reserve for headers of all layers.
    private static final int LARGEST_PIECE_BYTES = 65_536 - 320 - 1;

    private static final int RECORD_BYTES = 16 * KIB;

    /// Header, type of content, tag (RFC 8446, 5.2).
    private static final int RECORD_OVERHEAD_BYTES = 5 + 1 + 16;

    private final ExtendedHandle handle = (ExtendedHandle) new AdaptiveReads(0, 64 << 10).newHandle();
    private final DefaultChannelConfig config = new DefaultChannelConfig(new EmbeddedChannel());

    @Test
    void growsFourfoldWhenAReadFillsTheBufferAndStopsAtItsLargest() {
        handle.reset(config);
        assertThat(fill()).isEqualTo(2 * KIB);
        assertThat(fill()).isEqualTo(8 * KIB);
        assertThat(fill()).isEqualTo(32 * KIB);
        assertThat(fill()).isEqualTo(64 * KIB);
        assertThat(fill()).isEqualTo(64 * KIB);
    }

    @Test
    void halvesWhenAWakeUpStaysUnderAQuarter() {
        grow();
        wakeUp(16 * KIB - 1);
        assertThat(handle.guess()).isEqualTo(32 * KIB);
        for (int i = 0; i < 10; i++) {
            wakeUp(1);
        }
        assertThat(handle.guess()).isEqualTo(2 * KIB);
    }

    @Test
    void keepsItsSizeWhileReadsAreOfThatOrder() {
        grow();
        for (int i = 0; i < 10; i++) {
            wakeUp(16 * KIB);
        }
        assertThat(handle.guess()).isEqualTo(64 * KIB);
    }

    @Test
    void readsOnceWhenTheBufferWasNotFilled() {
        handle.reset(config);
        read(handle.guess() - 1);
        assertThat(handle.continueReading()).isFalse();
    }

    /// Hazard P14: a bulk transfer gives the loop back.
    @Test
    void readsNoMoreThan256KiBInOneTurn() {
        grow();
        handle.reset(config);
        int bytes = 0;
        do {
            bytes += fill();
        } while (handle.continueReading(() -> true));
        assertThat(bytes).isEqualTo(256 * KIB);
    }

    @Test
    void leavesRoomInFrontOfWhatIsRead() {
        var reads = (ExtendedHandle) new AdaptiveReads(9, 64 << 10).newHandle();
        for (int size = reads.guess(), last = 0; size != last; size = reads.guess()) {
            var buffer = reads.allocate(UnpooledByteBufAllocator.DEFAULT);
            assertThat(buffer.readerIndex()).isEqualTo(9);
            assertThat(buffer.writableBytes()).isEqualTo(size);
            buffer.release();
            reads.attemptedBytesRead(size);
            reads.lastBytesRead(size);
            last = size;
        }
        assertThat(reads.guess() + 9).as("whole buffer").isEqualTo(64 * KIB);
    }

    /// What {@link ApplicationSocket} reads at most, as a frame in TLS records, in one piece of the kernel's: two would
    /// wake the peer twice, and go twice through every hook on their way.
    @ParameterizedTest
    @ValueSource(ints = {1280, 1400, 1440, 1450, 1460, 1480, 1500, 8896, 8951, 9000, 9001})
    void theLargestReadGoesOverALinkAsOnePiece(int mtu) {
        int segment = mtu - 40 - 20 - 12; // headers of IPv6 and TCP, timestamps
        int piece = (LARGEST_PIECE_BYTES / segment) * segment;
        int records = (ApplicationSocket.READ_BUFFER_BYTES + RECORD_BYTES - 1) / RECORD_BYTES;

        assertThat(ApplicationSocket.READ_BUFFER_BYTES + records * RECORD_OVERHEAD_BYTES)
                .isLessThanOrEqualTo(piece);
    }

    /// Held number of the fast path: nothing on the heap for a read in steady state, the pooled buffer included.
    @Test
    void allocatesNothingOnTheHeapPerRead() throws Exception {
        int reads = 100_000;
        var level = ResourceLeakDetector.getLevel();
        ResourceLeakDetector.setLevel(Level.DISABLED); // it keeps a stack trace for each buffer
        var loop = new DefaultEventLoop(); // its thread has the allocator's cache, as the loops of the agent
        try {
            long allocated = loop.submit(() -> heapBytesFor(reads)).get(60, TimeUnit.SECONDS);

            System.out.println("heap bytes for " + reads + " reads: " + allocated);
            assertThat(allocated).as("heap bytes for %s reads", reads).isLessThan(reads);
        } finally {
            ResourceLeakDetector.setLevel(level);
            var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
        }
    }

    private long heapBytesFor(int reads) {
        var allocator = new PooledByteBufAllocator(true);
        var threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        for (int i = 0; i < 3; i++) {
            readMany(allocator, reads); // the compiler and the thread's cache warm up
        }
        long before = threads.getCurrentThreadAllocatedBytes();
        readMany(allocator, reads);
        return threads.getCurrentThreadAllocatedBytes() - before;
    }

    private void readMany(PooledByteBufAllocator allocator, int reads) {
        for (int i = 0; i < reads; i++) {
            handle.reset(config);
            var buffer = handle.allocate(allocator);
            handle.attemptedBytesRead(buffer.writableBytes());
            handle.lastBytesRead(buffer.writableBytes());
            handle.continueReading();
            handle.readComplete();
            buffer.release();
        }
    }

    private void grow() {
        handle.reset(config);
        while (handle.guess() < 64 * KIB) {
            fill();
        }
        handle.readComplete();
    }

    private void wakeUp(int bytes) {
        handle.reset(config);
        read(bytes);
        handle.readComplete();
    }

    private int fill() {
        int bytes = handle.guess();
        read(bytes);
        return bytes;
    }

    private void read(int bytes) {
        handle.attemptedBytesRead(handle.guess());
        handle.lastBytesRead(bytes);
    }
}
