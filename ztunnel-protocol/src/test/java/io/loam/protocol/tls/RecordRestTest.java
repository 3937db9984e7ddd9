package io.loam.protocol.tls;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.buffer.UnpooledByteBufAllocator;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class RecordRestTest {
    @Test
    void goesIntoTheRoomInFront() {
        var read = read("5678", 6);
        var joined = join("xx1234", 2, read);

        assertThat(joined).isSameAs(read);
        assertThat(text(joined)).isEqualTo("12345678");
        joined.release();
    }

    @Test
    void isCopiedWhereThereIsNoRoom() {
        var joined = join("1234", 0, read("5678", 3));

        assertThat(text(joined)).isEqualTo("12345678");
        joined.release();
    }

    @Test
    void nothingIsWrittenInFrontOfAReadThatSomebodyElseHolds() {
        var read = read("5678", 6);
        read.setCharSequence(0, "abcdef", StandardCharsets.US_ASCII);
        read.retain();
        var joined = join("1234", 0, read);

        assertThat(text(joined)).isEqualTo("12345678");
        assertThat(read.getCharSequence(0, 6, StandardCharsets.US_ASCII)).hasToString("abcdef");
        read.release();
        joined.release();
    }

    @Test
    void aReadAfterNothingStaysAsItIs() {
        var read = read("5678", 6);

        assertThat(RecordRest.INSTANCE.cumulate(UnpooledByteBufAllocator.DEFAULT, Unpooled.EMPTY_BUFFER, read))
                .isSameAs(read);
        read.release();
    }

    private static ByteBuf join(String rest, int alreadyRead, ByteBuf read) {
        var before = Unpooled.copiedBuffer(rest, StandardCharsets.US_ASCII).skipBytes(alreadyRead);
        return RecordRest.INSTANCE.cumulate(UnpooledByteBufAllocator.DEFAULT, before, read);
    }

    private static ByteBuf read(String text, int room) {
        var read = Unpooled.buffer(room + text.length()).writerIndex(room).readerIndex(room);
        read.writeCharSequence(text, StandardCharsets.US_ASCII);
        return read;
    }

    private static String text(ByteBuf bytes) {
        return bytes.toString(StandardCharsets.US_ASCII);
    }
}
