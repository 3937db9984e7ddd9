package io.loam.agent.selftest;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/// An access log of which only the last line about a failure is kept. Written by one thread, read by any.
final class RefusalLines extends OutputStream {
    private static final String ERROR = "error=";

    private volatile String last = "";

    @Override
    public void write(int single) {} // the log writes batches of whole lines

    @Override
    public void write(byte[] batch, int offset, int length) {
        var lines = new String(batch, offset, length, StandardCharsets.UTF_8);
        int at = lines.lastIndexOf(ERROR);
        if (at >= 0) {
            int end = lines.indexOf('\n', at);
            last = lines.substring(at + ERROR.length(), end < 0 ? lines.length() : end);
        }
    }

    String last() {
        return last;
    }
}
