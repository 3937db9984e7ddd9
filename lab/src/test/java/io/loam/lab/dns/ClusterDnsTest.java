package io.loam.lab.dns;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.cluster.ClusterState;
import io.netty.channel.epoll.EpollDatagramChannel;
import io.netty.channel.epoll.EpollServerSocketChannel;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ClusterDnsTest {
    private static final int A = 1;
    private static final int AAAA = 28;
    private static final int NO_ERROR = 0;
    private static final int NX_DOMAIN = 3;

    private ClusterDns dns;

    @BeforeEach
    void start() throws Exception {
        var objects = new ConfigReader().readText("""
                apiVersion: v1
                kind: Service
                metadata: {name: cart, namespace: shop}
                spec:
                  clusterIP: 10.96.0.7
                  selector: {app: cart}
                  ports: [{port: 80}]
                """, Path.of("test.yaml")).objects();
        var view = DnsView.of(new ClusterState(objects, List.of()), "cluster.local");
        dns = ClusterDns.start(
                List.of(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)),
                EpollDatagramChannel::new,
                EpollServerSocketChannel::new,
                () -> view);
    }

    @AfterEach
    void stop() {
        dns.close();
    }

    @Test
    void answersWithTheAddressOfAService() throws Exception {
        var answer = ask("Cart.shop.svc.cluster.local", A);

        assertThat(code(answer)).isEqualTo(NO_ERROR);
        assertThat(answers(answer)).isEqualTo(1);
        assertThat(Arrays.copyOfRange(answer, answer.length - 4, answer.length)).containsExactly(10, 96, 0, 7);
    }

    @Test
    void answersWithNothingWhereTheFamilyIsMissing() throws Exception {
        var answer = ask("cart.shop.svc.cluster.local", AAAA);

        assertThat(code(answer)).isEqualTo(NO_ERROR);
        assertThat(answers(answer)).isZero();
    }

    @Test
    void deniesNamesThatDoNotExistButNotThoseAboveOthers() throws Exception {
        assertThat(code(ask("none.shop.svc.cluster.local", A))).isEqualTo(NX_DOMAIN);
        assertThat(code(ask("example.com", A))).isEqualTo(NX_DOMAIN);
        assertThat(code(ask("shop.svc.cluster.local", A))).isEqualTo(NO_ERROR);
    }

    @Test
    void answersOverTcp() throws Exception {
        try (var socket = new Socket(dns.address().getAddress(), dns.address().getPort())) {
            socket.setSoTimeout(5_000);
            var query = query("cart.shop.svc.cluster.local", A);
            var out = new DataOutputStream(socket.getOutputStream());
            out.writeShort(query.length);
            out.write(query);
            var in = new DataInputStream(socket.getInputStream());
            var answer = in.readNBytes(in.readUnsignedShort());

            assertThat(answers(answer)).isEqualTo(1);
        }
    }

    private byte[] ask(String name, int type) throws Exception {
        try (var socket = new DatagramSocket()) {
            socket.setSoTimeout(5_000);
            var query = query(name, type);
            socket.send(new DatagramPacket(query, query.length, dns.address()));
            var packet = new DatagramPacket(new byte[512], 512);
            socket.receive(packet);
            return Arrays.copyOf(packet.getData(), packet.getLength());
        }
    }

    /// RFC 1035, 4.1.
    private static byte[] query(String name, int type) {
        var buffer = ByteBuffer.allocate(512);
        buffer.putShort((short) 77).putShort((short) 0x0100).putShort((short) 1);
        buffer.putShort((short) 0).putShort((short) 0).putShort((short) 0);
        for (var label : name.split("\\.", -1)) {
            buffer.put((byte) label.length()).put(label.getBytes(StandardCharsets.US_ASCII));
        }
        buffer.put((byte) 0).putShort((short) type).putShort((short) 1);
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    private static int code(byte[] answer) {
        return answer[3] & 0xf;
    }

    private static int answers(byte[] answer) {
        return answer[7];
    }
}
