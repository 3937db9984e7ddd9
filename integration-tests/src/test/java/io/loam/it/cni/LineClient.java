package io.loam.it.cni;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/// One connection that asks an {@link EchoServer}.
final class LineClient implements AutoCloseable {
    private static final int TIMEOUT_MILLIS = 5000;

    private final Socket socket = new Socket();
    private final BufferedReader reader;

    /// Connects from the calling thread's namespace.
    LineClient(String address, int port) throws IOException {
        socket.setTcpNoDelay(true);
        socket.setSoTimeout(TIMEOUT_MILLIS);
        socket.connect(new InetSocketAddress(address, port), TIMEOUT_MILLIS);
        reader = new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
    }

    String ask(String line) throws IOException {
        socket.getOutputStream().write((line + "\n").getBytes(StandardCharsets.UTF_8));
        return String.valueOf(reader.readLine());
    }

    @Override
    public void close() throws IOException {
        socket.close();
    }
}
