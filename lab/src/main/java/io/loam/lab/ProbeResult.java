package io.loam.lab;

import java.io.IOException;

/// What a {@link ConnectionProbe} printed.
///
/// @param local its own end as `ip:port`, as the agent logs it; `-` if it got none
/// @param read bytes that came back
record ProbeResult(boolean open, String local, long read, String detail) {
    static ProbeResult parse(String output) throws IOException {
        var line = output.strip().lines().reduce((_, last) -> last).orElse("");
        var parts = line.split(" ", 4);
        if (parts.length < 4 || !(parts[0].equals("open") || parts[0].equals("refused"))) {
            throw new IOException("the probe did not run: " + output.strip());
        }
        return new ProbeResult(parts[0].equals("open"), parts[1], Long.parseLong(parts[2]), parts[3]);
    }
}
