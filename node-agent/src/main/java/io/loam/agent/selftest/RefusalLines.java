package io.loam.agent.selftest;

import java.io.OutputStream;
import java.nio.charset.StandardCharsets;

/// An access log of which only the first line about a failure is kept: those behind it may be of connections that were
/// given up because of it. Written by one thread, read by any.
final class RefusalLines extends OutputStream {
    private static final String ERROR = "error=";

    private volatile String first = "";

    @Override
    public void write(int single) {} // the log writes batches of whole lines

    @Override
    public void write(byte[] batch, int offset, int length) {
        var lines = new String(batch, offset, length, StandardCharsets.UTF_8);
        int at = first.isEmpty() ? lines.indexOf(ERROR) : -1;
        if (at >= 0) {
            int end = lines.indexOf('\n', at);
            first = lines.substring(at + ERROR.length(), end < 0 ? lines.length() : end);
        }
    }

    String first() {
        return first;
    }
}
