package io.loam.agent.inbound;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.util.ArrayList;
import java.util.concurrent.ThreadLocalRandom;
import org.junit.jupiter.api.Test;

/// Hazard T12.
class HandshakeLimitsTest {
    private final HandshakeLimits limits = new HandshakeLimits();

    @Test
    void oneAddressHasAShareAndNotAll() {
        for (int i = 0; i < HandshakeLimits.PER_SOURCE; i++) {
            assertThat(limits.enter(address(1))).isTrue();
        }
        assertThat(limits.enter(address(1))).isFalse();
        assertThat(limits.enter(address(2))).isTrue();

        limits.leave(address(1));
        assertThat(limits.enter(address(1))).isTrue();
    }

    @Test
    void allTogetherHaveALimit() {
        for (int i = 0; i < HandshakeLimits.TOTAL; i++) {
            assertThat(limits.enter(address(i))).isTrue();
        }
        assertThat(limits.enter(address(9999))).isFalse();
        assertThat(limits.size()).isEqualTo(HandshakeLimits.TOTAL);
        assertThat(limits.sources()).isEqualTo(HandshakeLimits.TOTAL);
        System.out.printf("hazard T12: %d of %d in progress, the next refused%n", limits.size(), HandshakeLimits.TOTAL);
    }

    @Test
    void nothingIsLeftOfWhoWasRefusedOrLeft() throws Exception {
        var threads = new ArrayList<Thread>();
        for (int t = 0; t < 4; t++) {
            threads.add(Thread.ofPlatform().start(() -> {
                for (int i = 0; i < 20_000; i++) {
                    var source = address(ThreadLocalRandom.current().nextInt(4));
                    if (limits.enter(source)) {
                        limits.leave(source);
                    }
                }
            }));
        }
        for (var thread : threads) {
            thread.join();
        }
        assertThat(limits.size()).isZero();
        assertThat(limits.sources()).isZero();
    }

    private static InetAddress address(int last) {
        return InetAddress.ofLiteral("10.0." + last / 256 + "." + last % 256);
    }
}
