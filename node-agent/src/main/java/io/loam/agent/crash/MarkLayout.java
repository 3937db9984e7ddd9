package io.loam.agent.crash;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// Lines of 64 bytes, so that loops do not share cache lines: one for the thread that the watchdog gave up, one for
/// each event loop (the number of the pod it serves at this moment, and its thread's name), one for each pod (its UID).
final class MarkLayout {
    static final int LOOPS = 64;
    static final int PODS = 1024;

    /// Of a name or UID; longer ones are not noted, and then nobody is blamed.
    static final int LONGEST_TEXT = 54;

    static final int BYTES = 64 * (1 + LOOPS + PODS);

    static final int LOST_THREAD = 8;

    private MarkLayout() {}

    /// @param loop from 0
    static int mark(int loop) {
        return 64 * (1 + loop);
    }

    static int threadName(int loop) {
        return mark(loop) + 8;
    }

    /// @param number from 1
    static int uid(int number) {
        return 64 * (LOOPS + number) + 8;
    }

    /// The length goes in last: a text that is half written when the process dies is no text.
    static void write(ByteBuffer file, int offset, String text) {
        var bytes = text.getBytes(StandardCharsets.UTF_8);
        file.putShort(offset, (short) 0);
        if (bytes.length <= LONGEST_TEXT) {
            file.put(offset + 2, bytes);
            file.putShort(offset, (short) bytes.length);
        }
    }

    /// @return empty if there is none, or none that can be
    static String read(ByteBuffer file, int offset) {
        int length = file.getShort(offset);
        if (length <= 0 || length > LONGEST_TEXT) {
            return "";
        }
        var bytes = new byte[length];
        file.get(offset + 2, bytes);
        return new String(bytes, StandardCharsets.UTF_8);
    }
}
