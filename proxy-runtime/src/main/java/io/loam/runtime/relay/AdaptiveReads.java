package io.loam.runtime.relay;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufAllocator;
import io.netty.channel.ChannelConfig;
import io.netty.channel.RecvByteBufAllocator;
import io.netty.util.UncheckedBooleanSupplier;

/// How much to read from a socket at a time: 2 KiB at first, four times as much when a read fills its buffer, half
/// when a whole wake-up stays under a quarter; one buffer at most. One read per wake-up, or, while they come back full,
/// as many as stay within 256 KiB; then the others have their turn (fast path, rule 3, and hazard P14).
///
/// One instance may serve any number of channels.
public final class AdaptiveReads implements RecvByteBufAllocator {
    private static final int SMALLEST_BYTES = 2 << 10;

    /// What a connection in bulk may take of the loop: some 0.1 ms with its encryption. With 64 KiB a GB costs
    /// 10 to 15 % more, for wake-ups and calls into the kernel.
    private static final int TURN_BYTES = 256 << 10;

    private final int roomInFront;
    private final int largestBytes;

    /// @param roomInFront free bytes in front of what is read, 0 or more, where others can put a header without copying
    /// @param bufferBytes of the largest buffer, that room included
    public AdaptiveReads(int roomInFront, int bufferBytes) {
        this.roomInFront = roomInFront;
        this.largestBytes = bufferBytes - roomInFront;
    }

    @Override
    @SuppressWarnings(
            "deprecation") // the return type is the old one for compatibility; the extended one is what is used
    public Handle newHandle() {
        return new ReadHandle();
    }

    private final class ReadHandle implements ExtendedHandle {
        private int sizeBytes = SMALLEST_BYTES;
        private int attempted;
        private int lastRead;
        private int turnBytes;
        private boolean full;

        @Override
        public ByteBuf allocate(ByteBufAllocator allocator) {
            var buffer = allocator.ioBuffer(roomInFront + sizeBytes, roomInFront + sizeBytes);
            return buffer.writerIndex(roomInFront).readerIndex(roomInFront);
        }

        @Override
        public int guess() {
            return sizeBytes;
        }

        @Override
        public void reset(ChannelConfig config) {
            turnBytes = 0;
            full = false;
        }

        @Override
        public void incMessagesRead(int count) {}

        @Override
        public void lastBytesRead(int bytes) {
            lastRead = bytes;
            full = bytes > 0 && bytes == attempted;
            if (bytes > 0) {
                turnBytes += bytes;
            }
            if (full) {
                sizeBytes = Math.min(largestBytes, sizeBytes * 4);
            }
        }

        @Override
        public int lastBytesRead() {
            return lastRead;
        }

        @Override
        public void attemptedBytesRead(int bytes) {
            attempted = bytes;
        }

        @Override
        public int attemptedBytesRead() {
            return attempted;
        }

        @Override
        public boolean continueReading() {
            return full && turnBytes + sizeBytes <= TURN_BYTES;
        }

        /// The channel may know that the socket has nothing more; a full buffer with nothing behind it is rare
        /// enough that our own rule decides, except that an end of input must be read to be seen.
        @Override
        public boolean continueReading(UncheckedBooleanSupplier maybeMoreData) {
            return continueReading() && maybeMoreData.get();
        }

        @Override
        public void readComplete() {
            if (turnBytes < sizeBytes / 4) {
                sizeBytes = Math.max(SMALLEST_BYTES, sizeBytes / 2);
            }
        }
    }
}
