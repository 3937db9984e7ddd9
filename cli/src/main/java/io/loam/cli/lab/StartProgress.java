package io.loam.cli.lab;

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.function.LongSupplier;

/// Shows what a starting lab still waits for: on a terminal in one line that is written over, elsewhere in a line every
/// few seconds. For one thread.
public final class StartProgress implements AutoCloseable {
    /// Less than the 80 columns of a narrow terminal: a line that wraps cannot be written over.
    private static final int TERMINAL_COLUMNS = 79;

    private static final Duration LINE_INTERVAL = Duration.ofSeconds(5);

    private static final String ERASE_LINE = "\r\u001b[K";

    private final PrintWriter out;
    private final boolean terminal;
    private final LongSupplier nanoTime;
    private String shown = "";
    private long shownAt;

    StartProgress(PrintWriter out, boolean terminal, LongSupplier nanoTime) {
        this.out = out;
        this.terminal = terminal;
        this.nanoTime = nanoTime;
    }

    /// @param out standard error
    public static StartProgress on(PrintWriter out) {
        return new StartProgress(out, isTerminal(Path.of("/proc/self/fd/2")), System::nanoTime);
    }

    private static boolean isTerminal(Path descriptor) {
        try {
            var file = Files.readSymbolicLink(descriptor).toString();
            return file.startsWith("/dev/pts/") || file.startsWith("/dev/tty") || file.equals("/dev/console");
        } catch (IOException _) {
            return false; // no /proc: plain lines can be read everywhere
        }
    }

    /// @param pending one sentence each, `pod NS/NAME: ..` or `node NAME: ..`
    void update(List<String> pending) {
        var line = line(pending);
        if (line.isEmpty() || line.equals(shown)) {
            return;
        }
        if (terminal) {
            out.print(ERASE_LINE + shortened(line));
        } else if (shown.isEmpty() || nanoTime.getAsLong() - shownAt >= LINE_INTERVAL.toNanos()) {
            out.println(line);
        } else {
            return;
        }
        out.flush();
        shown = line;
        shownAt = nanoTime.getAsLong();
    }

    /// `  waiting for 2 pods, 1 node: pod shop/web: is not ready: ..`
    static String line(List<String> pending) {
        if (pending.isEmpty()) {
            return "";
        }
        var pods = count(pending, "pod ");
        var nodes = count(pending, "node ");
        var counts = pods > 0 && nodes > 0
                ? amount(pods, "pod") + ", " + amount(nodes, "node")
                : pods > 0 ? amount(pods, "pod") : amount(nodes, "node");
        return "  waiting for " + counts + ": " + pending.getFirst();
    }

    private static long count(List<String> pending, String kind) {
        return pending.stream()
                .filter(one -> one.startsWith(kind))
                .map(one -> one.substring(0, one.indexOf(':') < 0 ? one.length() : one.indexOf(':')))
                .distinct()
                .count();
    }

    private static String amount(long count, String noun) {
        return count + " " + noun + (count == 1 ? "" : "s");
    }

    private static String shortened(String line) {
        return line.length() <= TERMINAL_COLUMNS ? line : line.substring(0, TERMINAL_COLUMNS - 2) + "..";
    }

    /// Leaves the terminal's line to whatever comes next.
    @Override
    public void close() {
        if (terminal && !shown.isEmpty()) {
            out.print(ERASE_LINE);
            out.flush();
        }
    }
}
