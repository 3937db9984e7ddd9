package io.loam.lab.process;

import io.loam.config.object.ContainerSpec;
import io.loam.config.object.PortRef;
import io.loam.config.object.Probe;
import io.loam.config.object.Probe.Exec;
import io.loam.config.object.Probe.HttpGet;
import io.loam.config.object.Probe.HttpGet.Header;
import io.loam.config.object.Probe.TcpSocket;
import io.loam.lab.command.Command;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.ArrayList;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLSocketFactory;
import javax.net.ssl.TrustManager;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/// One attempt of a probe. Blocking, meant for virtual threads.
final class Prober {
    /// A status line and then some; nobody needs the rest of the answer.
    private static final int LONGEST_STATUS_LINE = 4096;

    private final ContainerSpec container;
    private final PodSandbox sandbox;
    private final InetAddress podIp;
    private final NodeSockets node;

    Prober(ContainerSpec container, PodSandbox sandbox, InetAddress podIp, NodeSockets node) {
        this.container = container;
        this.sandbox = sandbox;
        this.podIp = podIp;
        this.node = node;
    }

    /// @return null if the container is well, otherwise what is wrong
    /// @throws InterruptedException if the container ended meanwhile
    @Nullable
    String complaint(Probe probe) throws InterruptedException {
        try {
            return switch (probe.action()) {
                case Exec exec -> exec(exec, probe.timeout());
                case HttpGet get -> get(get, probe.timeout());
                case TcpSocket tcp -> {
                    connect(tcp.host(), tcp.port(), probe.timeout()).close();
                    yield null;
                }
            };
        } catch (IOException | GeneralSecurityException e) {
            if (Thread.interrupted()) {
                throw (InterruptedException) new InterruptedException().initCause(e);
            }
            return e.toString();
        }
    }

    private @Nullable String exec(Exec exec, Duration timeout) throws IOException {
        var command = new ArrayList<>(sandbox.enter(container.name()));
        command.addAll(exec.command());
        var result = Command.result(command, "", timeout);
        return result.exitCode() == 0
                ? null
                : exec.command().getFirst() + " ended with " + result.exitCode() + ": "
                        + result.output().strip();
    }

    private @Nullable String get(HttpGet get, Duration timeout) throws IOException, GeneralSecurityException {
        try (var plain = connect(get.host(), get.port(), timeout);
                var socket = get.scheme() == HttpGet.Scheme.HTTPS ? encrypted(plain) : plain) {
            var host = plain.getInetAddress().getHostAddress();
            var request = new StringBuilder("GET ")
                    .append(get.path().isEmpty() ? "/" : get.path())
                    .append(" HTTP/1.1\r\n");
            if (get.headers().stream().noneMatch(header -> header.name().equalsIgnoreCase("Host"))) {
                request.append("Host: ")
                        .append(host.indexOf(':') >= 0 ? "[" + host + "]" : host)
                        .append(':')
                        .append(plain.getPort())
                        .append("\r\n");
            }
            for (Header header : get.headers()) {
                request.append(header.name())
                        .append(": ")
                        .append(header.value())
                        .append("\r\n");
            }
            request.append("User-Agent: kube-probe/1.31\r\nAccept: */*\r\nConnection: close\r\n\r\n");
            socket.getOutputStream().write(request.toString().getBytes(StandardCharsets.ISO_8859_1));
            var status = statusLine(socket);
            var words = status.split(" ", 3);
            var code = words.length > 1 && words[1].matches("[0-9]{3}") ? Integer.parseInt(words[1]) : 0;
            return code >= 200 && code < 400 ? null : "answered " + status;
        }
    }

    private static String statusLine(Socket socket) throws IOException {
        var line = new StringBuilder();
        var in = new BufferedInputStream(socket.getInputStream());
        int c;
        while ((c = in.read()) >= 0 && c != '\n' && line.length() < LONGEST_STATUS_LINE) {
            line.append((char) c);
        }
        return line.toString().strip();
    }

    private Socket connect(String host, PortRef port, Duration timeout) throws IOException {
        var number = port.resolve(container.ports());
        if (number.isEmpty()) {
            throw new IOException("port " + port + " is not named by container " + container.name());
        }
        var channel = node.open();
        try {
            var socket = channel.socket();
            var address = host.isEmpty() ? podIp : InetAddress.getByName(host);
            int millis = (int) Math.max(1, timeout.toMillis());
            socket.setSoTimeout(millis);
            socket.connect(new InetSocketAddress(address, number.getAsInt()), millis);
            return socket;
        } catch (IOException e) {
            channel.close();
            throw e;
        }
    }

    /// As the kubelet does it: the certificate is not looked at.
    private static Socket encrypted(Socket plain) throws IOException, GeneralSecurityException {
        var context = SSLContext.getInstance("TLS");
        context.init(null, new TrustManager[] {new Trusting()}, null);
        SSLSocketFactory factory = context.getSocketFactory();
        return factory.createSocket(plain, plain.getInetAddress().getHostAddress(), plain.getPort(), true);
    }

    private static final class Trusting implements X509TrustManager {
        @Override
        public void checkClientTrusted(X509Certificate[] chain, String type) {}

        @Override
        public void checkServerTrusted(X509Certificate[] chain, String type) {}

        @Override
        public X509Certificate[] getAcceptedIssuers() {
            return new X509Certificate[0];
        }
    }
}
