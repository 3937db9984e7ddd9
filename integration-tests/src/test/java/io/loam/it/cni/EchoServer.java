package io.loam.it.cni;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;

/// Answers each line with its own name and the line, so that a client sees who it talks to.
final class EchoServer implements AutoCloseable {
    private final String name;
    private final ServerSocket server;

    /// Binds in the calling thread's namespace.
    EchoServer(String name, int port) throws IOException {
        this.name = name;
        this.server = new ServerSocket();
        server.setReuseAddress(true);
        server.bind(new InetSocketAddress(InetAddress.getByName("::"), port));
        Thread.ofVirtual().start(this::accept);
    }

    private void accept() {
        while (!server.isClosed()) {
            try {
                var socket = server.accept();
                Thread.ofVirtual().start(() -> serve(socket));
            } catch (IOException e) {
                if (!server.isClosed()) {
                    throw new UncheckedIOException(e);
                }
            }
        }
    }

    private void serve(Socket socket) {
        try (socket;
                var reader =
                        new BufferedReader(new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8))) {
            for (var line = reader.readLine(); line != null; line = reader.readLine()) {
                socket.getOutputStream().write((name + " " + line + "\n").getBytes(StandardCharsets.UTF_8));
            }
        } catch (IOException e) {
            if (!server.isClosed()) {
                throw new UncheckedIOException(name, e);
            }
        }
    }

    @Override
    public void close() throws IOException {
        server.close();
    }
}
