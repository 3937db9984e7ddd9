package io.loam.lab.bench.topology;

import io.loam.protocol.linux.Netns;
import io.loam.protocol.linux.NetnsThread;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.ExecutionException;

/// Whether a proxy that is asked for a tunnel makes one: random bytes go to the target, which only sends them back to a
/// request inside of a tunnel, and have to return unchanged.
final class TunnelProof {
    private static final int RANDOM_BYTES = 2048;
    private static final int TIMEOUT_MILLIS = 2000;
    private static final Duration PATIENCE = Duration.ofSeconds(10);
    private static final Duration PAUSE = Duration.ofMillis(50);

    private TunnelProof() {}

    /// Tries until the processes that have just been started are there.
    ///
    /// @param netns of the client
    /// @param port of the proxy on the client's loopback address
    /// @throws IOException why there is no tunnel
    static void require(Path netns, int port, String authority) throws IOException {
        try (var namespace = Netns.open(netns);
                var inside = NetnsThread.start(namespace, "tunnel proof")) {
            long deadline = System.nanoTime() + PATIENCE.toNanos();
            while (true) {
                try {
                    inside.submit(() -> sendThrough(port, authority)).get();
                    return;
                } catch (ExecutionException e) {
                    if (System.nanoTime() - deadline > 0) {
                        throw new IOException("no bytes pass the tunnel: " + e.getCause(), e);
                    }
                }
                Thread.sleep(PAUSE);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    private static Void sendThrough(int port, String authority) throws IOException {
        try (var socket = new Socket()) {
            socket.setSoTimeout(TIMEOUT_MILLIS);
            socket.connect(new InetSocketAddress(InetAddress.getLoopbackAddress(), port), TIMEOUT_MILLIS);
            send(socket, "CONNECT %1$s HTTP/1.1\r\nHost: %1$s\r\n\r\n".formatted(authority));
            var established = read(socket, "\r\n\r\n");
            if (!established.startsWith("HTTP/1.1 200")) {
                throw new IOException(
                        "answer to CONNECT: " + established.lines().findFirst().orElse("none"));
            }
            var random = new byte[RANDOM_BYTES];
            new SecureRandom().nextBytes(random);
            var text = HexFormat.of().formatHex(random);
            send(socket, "GET /%s HTTP/1.1\r\nHost: %s\r\n\r\n".formatted(text, authority));
            read(socket, text);
            return null;
        }
    }

    private static void send(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.US_ASCII));
    }

    /// @return everything up to and with `end`
    private static String read(Socket socket, String end) throws IOException {
        var read = new ByteArrayOutputStream();
        var input = socket.getInputStream();
        for (int next = input.read(); next >= 0; next = input.read()) {
            read.write(next);
            if (next == end.charAt(end.length() - 1)) {
                var text = read.toString(StandardCharsets.US_ASCII);
                if (text.endsWith(end)) {
                    return text;
                }
            }
        }
        throw new IOException("the connection ended after " + read.size() + " bytes");
    }
}
