package io.loam.lab;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;

/// A {@link ConnectionProbe} that has connected and waits until it is told to send. Blocking.
final class HeldProbe implements AutoCloseable {
    /// The program gives up on its own long before; this is for one that cannot be scheduled.
    private static final long PATIENCE_SECONDS = 30;

    private final Process process;
    private final BufferedReader said;
    private final String first;

    private HeldProbe(Process process, BufferedReader said, String first) {
        this.process = process;
        this.said = said;
        this.first = first;
    }

    /// Returns when the connection is there, or will not be.
    ///
    /// @param entry what runs a command inside the pod
    static HeldProbe start(List<String> entry, InetSocketAddress target, String text) throws IOException {
        var argv = new ArrayList<>(entry);
        argv.addAll(ConnectionProbe.heldCommand(target, text));
        var process = new ProcessBuilder(argv).redirectErrorStream(true).start();
        process.onExit().orTimeout(PATIENCE_SECONDS, TimeUnit.SECONDS).exceptionally(_ -> process.destroyForcibly());
        try {
            var said = process.inputReader(StandardCharsets.UTF_8);
            return new HeldProbe(process, said, line(said));
        } catch (IOException | RuntimeException e) {
            process.destroyForcibly();
            throw e;
        }
    }

    private static String line(BufferedReader said) throws IOException {
        var line = said.readLine();
        if (line == null) {
            throw new IOException("the probe did not run");
        }
        return line;
    }

    boolean isConnected() {
        return first.startsWith("connected ");
    }

    /// Its own end as `ip:port`, as the agent shows it; `-` if it did not connect.
    String local() throws IOException {
        return isConnected()
                ? first.substring("connected ".length())
                : ProbeResult.parse(first).local();
    }

    /// Lets it send, and waits for what comes of it.
    ProbeResult release() throws IOException {
        if (!isConnected()) {
            return ProbeResult.parse(first);
        }
        process.getOutputStream().write('\n');
        process.getOutputStream().flush();
        return ProbeResult.parse(line(said));
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
