package io.loam.protocol.hbone;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.buffer.Unpooled;
import io.netty.channel.WriteBufferWaterMark;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// How bytes become DATA frames ({@link DataQueue}) and DATA frames become bytes ({@link FrameFeed}), on
/// the server's end of a tunnel with one open stream.
class DataFlowTest {
    private static final int STREAM = 3;

    private final List<TunnelStream> opened = new ArrayList<>();
    private final RecordingListener heard = new RecordingListener();
    private final RawPeer peer = RawPeer.clientOf(
            HboneServerHandler.create((_, pending) -> opened.add(pending.accept(ConnectResponse.PLAIN, heard))));

    DataFlowTest() {
        peer.connect(STREAM);
    }

    @AfterEach
    void close() {
        peer.close();
    }

    private TunnelStream stream() {
        return opened.getFirst();
    }

    // --- from the peer ---

    /// Every way of cutting the same frames into reads gives the application the same bytes and the same end.
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void deliversDataAsItArrives(long seed) {
        var random = new Random(seed);
        var sent = new StringBuilder();
        var wire = Unpooled.buffer();
        for (int frame = 0; frame < 40; frame++) {
            var text = "x%d,".formatted(frame).repeat(random.nextInt(1, 400));
            sent.append(text);
            boolean padded = random.nextInt(4) == 0;
            var payload = padded ? "\3" + text + "\0\0\0" : text;
            append(wire, WireFrames.data(STREAM, padded ? WireFrames.PADDED : 0, payload));
            append(wire, WireFrames.ping(frame));
        }
        sent.append("end");
        append(wire, WireFrames.data(STREAM, WireFrames.END_STREAM, "end"));

        while (wire.isReadable()) {
            int most = random.nextBoolean() ? 12 : 5000;
            peer.bytes(wire.readBytes(Math.min(wire.readableBytes(), random.nextInt(1, most))));
        }
        wire.release();

        assertThat(text()).isEqualTo(sent.toString());
        assertThat(heard.heard).endsWith("END").containsOnlyOnce("END");
        assertThat(peer.seen).noneMatch(frame -> frame.startsWith("GOAWAY") || frame.startsWith("RST"));
    }

    @Test
    void doesNotWaitForTheEndOfAFrame() {
        var frame = WireFrames.data(STREAM, WireFrames.END_STREAM, "first second");

        peer.bytes(frame.readBytes(9 + 5));
        assertThat(text()).isEqualTo("first");
        assertThat(heard.heard).doesNotContain("END");

        peer.bytes(frame.readBytes(7));
        frame.release();
        assertThat(text()).isEqualTo("first second");
        assertThat(heard.heard).endsWith("END");
    }

    /// A frame in pieces on a stream that is gone is one frame still: it is read over, and the tunnel goes on.
    @Test
    void readsOverTheRestOfAFrameWhoseStreamWasReset() {
        var frame = WireFrames.data(STREAM, 0, "first second");
        peer.bytes(frame.readBytes(9 + 5));
        stream().reset(0);
        peer.bytes(frame.readBytes(7));
        frame.release();
        peer.bytes(WireFrames.ping(7));

        assertThat(text()).isEqualTo("first");
        assertThat(peer.seen).endsWith("RST 3 NO_ERROR", "PONG 7");
    }

    private static void append(ByteBuf wire, ByteBuf frame) {
        wire.writeBytes(frame);
        frame.release();
    }

    private String text() {
        var text = new StringBuilder();
        heard.heard.stream()
                .filter(word -> !word.equals("|") && !word.equals("END"))
                .forEach(text::append);
        return text.toString();
    }

    // --- to the peer ---

    /// Whatever is written in whatever sizes, with whatever windows and frame sizes: the peer gets these
    /// bytes, in frames it takes, and one END_STREAM.
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void sendsWhatIsWritten(long seed) {
        var random = new Random(seed);
        int largest = seed % 2 == 0 ? 16 << 10 : 64 << 10;
        int window = random.nextInt(30_000, 300_000);
        peer.bytes(WireFrames.settings(WireFrames.MAX_FRAME_SIZE, largest, WireFrames.INITIAL_WINDOW_SIZE, window));
        peer.bytes(WireFrames.windowUpdate(0, 1 << 24));
        var sent = new StringBuilder();
        for (int i = 0; i < 60; i++) {
            var text = "%d;".formatted(i).repeat(random.nextInt(1, i % 3 == 0 ? 20_000 : 50));
            sent.append(text);
            stream().write(buffer(text, random.nextBoolean() ? 9 : random.nextInt(0, 9)));
            if (random.nextInt(3) == 0) {
                stream().flush();
                peer.listen();
                peer.bytes(WireFrames.windowUpdate(STREAM, random.nextInt(1, 100_000)));
            }
        }
        stream().endStream();
        peer.listen();
        peer.bytes(WireFrames.windowUpdate(STREAM, 1 << 24));

        var received = new StringBuilder();
        for (var frame : dataSeen()) {
            assertThat(frame.length()).as("payload and header").isLessThanOrEqualTo(largest - 9);
            received.append(frame);
        }
        assertThat(received.toString()).isEqualTo(sent.toString());
        assertThat(peer.seen.stream().filter(frame -> frame.endsWith(" END"))).hasSize(1);
        assertThat(peer.seen.getLast()).startsWith("DATA").endsWith(" END");
    }

    /// Fast path, rule 6.
    @Test
    void framesABufferWhereItLies() {
        var data = buffer("one read", TunnelStream.FRAME_HEADER_BYTES);
        long address = data.memoryAddress();
        stream().write(data);
        stream().flush();
        peer.tunnel.runPendingTasks();

        ByteBuf frame = peer.tunnel.readOutbound();
        assertThat(frame.memoryAddress()).isEqualTo(address);
        assertThat(frame.readableBytes()).isEqualTo(9 + 8);
        frame.release();
    }

    @Test
    void doesNotWriteInFrontOfABufferThatSomebodyElseHolds() {
        var shared = buffer("HEADHEADHone read", 0);
        shared.retain();
        stream().write(shared.skipBytes(9));
        stream().flush();
        peer.listen();

        assertThat(dataSeen()).containsExactly("one read");
        assertThat(shared.getCharSequence(0, 9, StandardCharsets.US_ASCII)).hasToString("HEADHEADH");
        shared.release();
    }

    /// Streams take turns, and a buffer in which a turn ends goes out whole: not when others have been
    /// promised what is left of the connection's window.
    @ParameterizedTest
    @ValueSource(ints = {70_000, 100_000, 131_072, 150_000, 200_000, 260_000})
    void streamsTogetherNeverExceedTheWindowOfTheConnection(int granted) {
        peer.bytes(WireFrames.settings(WireFrames.INITIAL_WINDOW_SIZE, 1 << 20, WireFrames.MAX_FRAME_SIZE, 64 << 10));
        peer.connect(STREAM + 2);
        peer.tunnel.config().setWriteBufferWaterMark(new WriteBufferWaterMark(256 << 10, 512 << 10)); // as agents
        peer.bytes(WireFrames.windowUpdate(0, granted));
        for (int i = 0; i < 10; i++) {
            opened.get(0).write(buffer("a".repeat(50_000), 9));
            opened.get(1).write(buffer("b".repeat(30_000), 9));
        }

        stream().flush();
        peer.listen();

        assertThat(allDataBytes()).isEqualTo(65_535 + granted);

        peer.bytes(WireFrames.windowUpdate(0, 1 << 20));

        assertThat(allDataBytes()).isEqualTo(10 * (50_000 + 30_000));
    }

    private int allDataBytes() {
        return peer.seen.stream()
                .filter(frame -> frame.startsWith("DATA "))
                .mapToInt(frame -> frame.replaceFirst("DATA \\d+ ", "").length())
                .sum();
    }

    /// The peer gave up: what waits for its window is dropped, and nothing but its own reset is to be seen.
    @Test
    void dropsWhatWaitsWhenTheStreamIsReset() {
        peer.bytes(WireFrames.settings(WireFrames.INITIAL_WINDOW_SIZE, 4));
        var waiting = buffer("waits for ever", 9);
        stream().write(waiting);
        stream().flush();
        peer.listen();
        peer.reset(STREAM, 8);

        assertThat(waiting.refCnt()).isZero();
        assertThat(dataSeen()).containsExactly("wait");
        assertThat(heard.heard).endsWith("RESET CANCEL");
        assertThat(peer.seen).noneMatch(frame -> frame.startsWith("RST"));
    }

    private static ByteBuf buffer(String text, int room) {
        var buffer = PooledByteBufAllocator.DEFAULT.directBuffer(room + text.length());
        buffer.writerIndex(room).readerIndex(room);
        buffer.writeCharSequence(text, StandardCharsets.US_ASCII);
        return buffer;
    }

    private List<String> dataSeen() {
        return peer.seen.stream()
                .filter(frame -> frame.startsWith("DATA " + STREAM + " "))
                .map(frame -> frame.substring(("DATA " + STREAM + " ").length()).replaceFirst(" END$", ""))
                .toList();
    }
}
