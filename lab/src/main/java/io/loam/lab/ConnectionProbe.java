package io.loam.lab;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/// A program that opens one connection, run inside a pod: `ADDRESS PORT TEXT [held]`. It sends the text, says that
/// there
/// will be no more, and reads what comes: bytes, an orderly end, or silence mean that somebody is there; a reset or a
/// refusal that nobody is. A captured connection is always accepted, by the agent, so that only this tells.
///
/// Prints `open|refused LOCAL-ADDRESS BYTES-READ WHAT-HAPPENED`. One that is held first prints `connected
/// LOCAL-ADDRESS`
/// and waits with the text for a line on its standard input, so that others can look at the connection meanwhile.
public final class ConnectionProbe {
    private static final int PATIENCE_MILLIS = 5_000;

    private ConnectionProbe() {}

    public static void main(String[] args) {
        var address = new InetSocketAddress(InetAddress.ofLiteral(args[0]), Integer.parseInt(args[1]));
        System.out.println(run(address, args[2].getBytes(StandardCharsets.UTF_8), args.length > 3));
    }

    /// @return its argument list, to be put behind what enters the pod
    static List<String> command(InetSocketAddress address, String text) {
        return new ArrayList<>(List.of(
                ProcessHandle.current().info().command().orElse("java"),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-Xmx32m",
                "-cp",
                System.getProperty("java.class.path"),
                ConnectionProbe.class.getName(),
                address.getAddress().getHostAddress(),
                Integer.toString(address.getPort()),
                text));
    }

    static List<String> heldCommand(InetSocketAddress address, String text) {
        var command = command(address, text);
        command.add("held");
        return command;
    }

    private static String run(InetSocketAddress address, byte[] text, boolean held) {
        var local = "-";
        long read = 0;
        try (var socket = new Socket()) {
            socket.connect(address, PATIENCE_MILLIS);
            local = text(socket.getLocalAddress(), socket.getLocalPort());
            socket.setSoTimeout(PATIENCE_MILLIS);
            if (held) {
                System.out.println("connected " + local);
                if (System.in.read() < 0) { // who asked for it has gone
                    return "refused " + local + " 0 not asked to send";
                }
            }
            socket.getOutputStream().write(text);
            socket.shutdownOutput();
            var buffer = new byte[16 * 1024];
            for (int count = socket.getInputStream().read(buffer);
                    count >= 0;
                    count = socket.getInputStream().read(buffer)) {
                read += count;
            }
            return "open " + local + " " + read + " ended in order";
        } catch (SocketTimeoutException e) {
            return (local.equals("-") ? "refused " : "open ") + local + " " + read + " silent for "
                    + PATIENCE_MILLIS / 1_000 + " s";
        } catch (IOException e) {
            return (read > 0 ? "open " : "refused ") + local + " " + read + " " + e.getMessage();
        }
    }

    private static String text(InetAddress address, int port) {
        var literal = address.getHostAddress();
        return (literal.contains(":") ? "[" + literal + "]" : literal) + ":" + port;
    }
}
