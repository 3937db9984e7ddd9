package io.loam.lab.capture;

import java.io.BufferedReader;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;

/// Records what passes an interface, from the moment [#start] returns to the moment [#stop] is called: nothing
/// sent in between is missing, unless [Capture#dropped] says so.
///
/// The reading is tcpdump's, so that the witness is a program other than ours. It starts late and hands over its
/// packets in blocks, so both ends are awaited, not guessed: the start by the line in which it says that it
/// listens, the end by a datagram of our own on the same interface, which can come out of the kernel's buffer
/// only after everything before it.
///
/// Not for use by several threads. The recording is kept in memory.
public final class LinkCapture implements AutoCloseable {
    /// A block of tcpdump's ring that is not full is handed over after a second; a loaded machine gets some more.
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    /// All nodes of the link (RFC 4291, 2.7.1), discard port: goes out on any interface, and nobody listens.
    private static final String MARK_ADDRESS = "ff02::1";

    private static final int MARK_PORT = 9;
    private static final Duration MARK_RETRY = Duration.ofMillis(50);
    private static final int BUFFER_KIB = 16 * 1024;
    private static final Pattern DROPPED = Pattern.compile("(\\d+) packets? dropped by kernel");

    private final Path netns;
    private final String networkInterface;
    private final Process tcpdump;
    private final byte[] mark = ("loam-end-of-capture-" + UUID.randomUUID()).getBytes(StandardCharsets.US_ASCII);
    private final ByteArrayOutputStream recorded = new ByteArrayOutputStream();
    private final List<String> said = Collections.synchronizedList(new ArrayList<>());
    private final CompletableFuture<Void> listening = new CompletableFuture<>();
    private final CompletableFuture<Void> markSeen = new CompletableFuture<>();
    private final Thread recorder;
    private final Thread listener;

    private LinkCapture(Path netns, String networkInterface, String filter) throws IOException {
        this.netns = netns;
        this.networkInterface = networkInterface;
        var markFilter = "(ip6 dst " + MARK_ADDRESS + " and udp dst port " + MARK_PORT + ")";
        this.tcpdump = new ProcessBuilder(
                        "nsenter",
                        "--net=" + netns,
                        "tcpdump",
                        "-i",
                        networkInterface,
                        "-n",
                        "-U",
                        "-B",
                        Integer.toString(BUFFER_KIB),
                        "-w",
                        "-",
                        filter.isBlank() ? "" : "(" + filter + ") or " + markFilter)
                .redirectInput(ProcessBuilder.Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        this.recorder = Thread.ofVirtual().name("capture-packets").start(this::record);
        this.listener = Thread.ofVirtual().name("capture-stderr").start(this::listen);
    }

    /// @param netns a namespace file, such as `/run/netns/NAME`
    /// @param networkInterface its name inside that namespace
    /// @param filter in tcpdump's language; empty records everything
    /// @throws IOException tcpdump does not start: no such interface, bad filter
    public static LinkCapture start(Path netns, String networkInterface, String filter)
            throws IOException, InterruptedException {
        var capture = new LinkCapture(netns, networkInterface, filter);
        try {
            capture.await(capture.listening, "start");
            return capture;
        } catch (IOException | InterruptedException e) {
            capture.close();
            throw e;
        }
    }

    /// Ends the recording.
    ///
    /// @return what was seen, in the order of arrival
    public Capture stop() throws IOException, InterruptedException {
        try {
            sendMark();
            await(markSeen, "deliver what it has recorded");
            tcpdump.toHandle().destroy(); // SIGTERM; Process.destroy would close its stderr, where the counters come
            if (!tcpdump.waitFor(PATIENCE.toSeconds(), TimeUnit.SECONDS)) {
                throw new IOException("tcpdump does not end");
            }
            listener.join();
            recorder.join();
            return Capture.of(recorded.toByteArray(), mark, dropped());
        } finally {
            close();
        }
    }

    /// Ends the recording without looking at it.
    @Override
    public void close() {
        tcpdump.destroyForcibly();
    }

    /// The link-local address of an interface that has just come up is not usable until nobody else has claimed it
    /// (RFC 4862, 5.4): a second or two in which sending fails.
    private void sendMark() throws IOException, InterruptedException {
        var deadline = System.nanoTime() + PATIENCE.toNanos();
        for (var refusal = trySendMark(); !refusal.isEmpty(); refusal = trySendMark()) {
            if (System.nanoTime() - deadline > 0) {
                throw new IOException("cannot mark the end of the capture on " + networkInterface
                        + " (needs an IPv6 link-local address): " + refusal);
            }
            Thread.sleep(MARK_RETRY);
        }
    }

    /// @return what went wrong, empty if nothing
    private String trySendMark() throws IOException, InterruptedException {
        var device = "/dev/udp/" + MARK_ADDRESS + "%" + networkInterface + "/" + MARK_PORT;
        var sender = new ProcessBuilder(
                        "nsenter",
                        "--net=" + netns,
                        "bash",
                        "-c",
                        "printf %s \"$1\" >\"$2\"",
                        "mark",
                        markText(),
                        device)
                .redirectErrorStream(true)
                .start();
        var output = new String(sender.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        return sender.waitFor() == 0 ? "" : output;
    }

    private String markText() {
        return new String(mark, StandardCharsets.US_ASCII);
    }

    private void await(CompletableFuture<Void> event, String purpose) throws IOException, InterruptedException {
        try {
            event.get(PATIENCE.toMillis(), TimeUnit.MILLISECONDS);
        } catch (ExecutionException | TimeoutException e) {
            throw new IOException(
                    "tcpdump on " + networkInterface + " of " + netns + " did not " + purpose + "; it said: " + said,
                    e);
        }
    }

    private void record() {
        var buffer = new byte[64 * 1024];
        var tail = new byte[0]; // a mark may be cut in two by the pipe
        try (InputStream packets = tcpdump.getInputStream()) {
            for (var count = packets.read(buffer); count >= 0; count = packets.read(buffer)) {
                recorded.write(buffer, 0, count);
                var searched = Bytes.join(tail, buffer, count);
                if (Bytes.contains(searched, mark)) {
                    markSeen.complete(null);
                }
                tail = Arrays.copyOfRange(searched, Math.max(0, searched.length - mark.length), searched.length);
            }
            markSeen.completeExceptionally(new IOException("tcpdump ended"));
        } catch (IOException e) {
            markSeen.completeExceptionally(e);
        }
    }

    private void listen() {
        try (BufferedReader lines = tcpdump.errorReader(StandardCharsets.UTF_8)) {
            for (var line = lines.readLine(); line != null; line = lines.readLine()) {
                said.add(line);
                if (line.contains("listening on")) {
                    listening.complete(null);
                }
            }
            listening.completeExceptionally(new IOException("tcpdump ended"));
        } catch (IOException e) {
            listening.completeExceptionally(e);
        }
    }

    private long dropped() throws IOException {
        for (var line : List.copyOf(said)) {
            var matcher = DROPPED.matcher(line);
            if (matcher.find()) {
                return Long.parseLong(matcher.group(1));
            }
        }
        throw new IOException("tcpdump ended without its counters; it said: " + said);
    }
}
