package io.loam.agent;

import io.loam.agent.pod.PodSockets;
import io.loam.protocol.linux.Netns;
import io.loam.runtime.config.SocketConfig;
import io.netty.channel.epoll.Epoll;
import java.io.IOException;
import java.net.InetAddress;

/// Fails early where the process lacks what every pod needs (wire reference, 6.4, rule 9): entering a namespace and
/// marking a socket.
final class SelfCheck {
    private SelfCheck() {}

    /// @throws IOException with what is missing and what grants it
    static void run(SocketConfig config) throws IOException {
        Epoll.ensureAvailability(); // loads the native half that opening a socket calls; event loops come later
        try (var own = Netns.current()) {
            var socket = new PodSockets(own, config).spoofing(InetAddress.getByAddress(new byte[] {127, 0, 0, 1}));
            socket.unsafe().closeForcibly();
        } catch (IOException | RuntimeException e) {
            throw new IOException(
                    "this process may not enter network namespaces or mark sockets (expected: capabilities SYS_ADMIN,"
                            + " NET_ADMIN and NET_RAW): " + e.getMessage(),
                    e);
        }
    }
}
