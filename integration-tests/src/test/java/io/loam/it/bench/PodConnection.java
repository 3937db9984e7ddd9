package io.loam.it.bench;

import io.loam.protocol.linux.Netns;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Pattern;

/// One TCP connection from inside a pod's namespace to a redis or to an echo server.
public final class PodConnection implements AutoCloseable {
    /// A machine that is busy with other things is slow, not broken: who measures looks at the time taken.
    private static final int TIMEOUT_MILLIS = 20_000;
    private static final Pattern SEEN_PORT = Pattern.compile(" addr=(\\S+):(\\d+) ");

    private final Socket socket;
    private final BufferedReader reader;

    private PodConnection(Socket socket) throws IOException {
        this.socket = socket;
        socket.setSoTimeout(TIMEOUT_MILLIS);
        reader = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
    }

    /// @param netns of the pod
    public static PodConnection open(Path netns, InetAddress to, int port) throws IOException {
        try (var inside = Netns.open(netns)) {
            return open(inside, to, port);
        }
    }

    /// To be called on a platform thread.
    static PodConnection open(Netns inside, InetAddress to, int port) throws IOException {
        var channel = inside.call(SocketChannel::open);
        try {
            channel.socket().setTcpNoDelay(true);
            channel.socket().connect(new InetSocketAddress(to, port), TIMEOUT_MILLIS);
            return new PodConnection(channel.socket());
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /// Sends a line.
    ///
    /// @return the line that comes back, without redis' length before it
    public String ask(String line) throws IOException {
        socket.getOutputStream().write((line + "\r\n").getBytes(StandardCharsets.UTF_8));
        return readLine(line);
    }

    private String readLine(String asked) throws IOException {
        var answer = reader.readLine();
        if (answer != null && answer.startsWith("$")) {
            answer = reader.readLine();
        }
        if (answer == null) {
            throw new IOException("closed instead of an answer to '" + asked + "'");
        }
        return answer;
    }

    /// Whether redis answers on it.
    public boolean isAlive() throws IOException {
        return ask("PING alive").equals("alive");
    }

    /// Whether a proxy stands between: redis sees our address, but then not our port.
    public boolean isCaptured() throws IOException {
        return seenBy().getPort() != socket.getLocalPort();
    }

    /// Whom redis believes to talk to.
    public InetSocketAddress seenBy() throws IOException {
        var info = ask("CLIENT INFO");
        reader.readLine(); // its text ends with a line end of its own
        var matcher = SEEN_PORT.matcher(info);
        if (!matcher.find()) {
            throw new IOException("redis does not say whom it talks to: " + info);
        }
        var host = matcher.group(1).replace("[", "").replace("]", "");
        return new InetSocketAddress(InetAddress.getByName(host), Integer.parseInt(matcher.group(2)));
    }

    /// Whether the other end closes or resets it.
    ///
    /// @param atMostMillis to wait for that
    public boolean isCutWithin(int atMostMillis) throws IOException {
        socket.setSoTimeout(Math.max(1, atMostMillis));
        try {
            return socket.getInputStream().read() < 0;
        } catch (SocketTimeoutException _) {
            return false;
        } catch (IOException _) {
            return true; // reset
        } finally {
            if (!socket.isClosed()) {
                socket.setSoTimeout(TIMEOUT_MILLIS);
            }
        }
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
