package io.loam.it.capture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.lab.capture.LinkCapture;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The witness of all other tests: what it does not see must not have been there.
final class LinkCaptureNetnsIT {
    private final String left = "loam-it-cap-l" + ProcessHandle.current().pid();
    private final String right = "loam-it-cap-r" + ProcessHandle.current().pid();

    @BeforeEach
    void setUp() throws Exception {
        run("ip netns add " + left);
        run("ip netns add " + right);
        run("ip -n " + left + " link add cap0 type veth peer name cap1 netns " + right);
        for (var side : List.of(left, right)) {
            var device = side.equals(left) ? "cap0" : "cap1";
            var number = side.equals(left) ? 1 : 2;
            run("ip -n " + side + " addr add 192.0.2." + number + "/24 dev " + device);
            run("ip -n " + side + " link set lo up");
            run("ip -n " + side + " link set " + device + " up");
        }
    }

    @AfterEach
    void tearDown() throws Exception {
        run("ip netns del " + left);
        run("ip netns del " + right);
    }

    /// Sent right after the start and right before the stop, the two moments in which a recorder loses packets.
    @Test
    void seesTheFirstAndTheLastPacketOfEveryRound() throws Exception {
        for (var round = 0; round < 5; round++) {
            try (var capture = LinkCapture.start(Path.of("/run/netns", left), "cap0", "udp port 4000")) {
                run("ip netns exec " + right + " bash -c 'echo first-" + round + " >/dev/udp/192.0.2.1/4000'");
                run("ip netns exec " + right + " bash -c 'echo last-" + round + " >/dev/udp/192.0.2.1/4000'");
                var seen = capture.stop();

                assertThat(seen.containsPlaintext("first-" + round)).isTrue();
                assertThat(seen.containsPlaintext("last-" + round)).isTrue();
                assertThat(seen.frames()).hasSize(2);
                assertThat(seen.dropped()).isZero();
            }
        }
    }

    @Test
    void seesOnlyWhatTheFilterLetsThrough() throws Exception {
        try (var capture = LinkCapture.start(Path.of("/run/netns", left), "cap0", "udp port 4000")) {
            run("ip netns exec " + right + " bash -c 'echo other >/dev/udp/192.0.2.1/4001'");

            assertThat(capture.stop().frames()).isEmpty();
        }
    }

    @Test
    void refusesAnInterfaceThatIsNotThere() {
        assertThatThrownBy(() -> LinkCapture.start(Path.of("/run/netns", left), "nosuch0", ""))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("nosuch0");
    }

    private static void run(String command) throws IOException, InterruptedException {
        var process = new ProcessBuilder("bash", "-c", command)
                .redirectErrorStream(true)
                .start();
        var output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as("%s: %s", command, output).isZero();
    }
}
