package io.loam.lab.network;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetAddress;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;

final class AddressPoolTest {
    private static final NodeSlot ONE = new NodeSlot("one", 1);
    private static final NodeSlot TWO = new NodeSlot("two", 2);

    private final AddressPool pool = new AddressPool();

    @Test
    void givesTheSameNumberInBothFamiliesFromTheNodesRange() {
        assertThat(next(ONE, Set.of())).containsExactly(ip("10.244.1.2"), ip("fd00:244:1::2"));
        assertThat(next(ONE, Set.of())).containsExactly(ip("10.244.1.3"), ip("fd00:244:1::3"));
        assertThat(next(TWO, Set.of())).containsExactly(ip("10.244.2.2"), ip("fd00:244:2::2"));
    }

    /// What still speaks to the pod that ended must not meet a new one.
    @Test
    void aNumberThatCameBackIsGivenLast() {
        var given = new HashSet<InetAddress>();
        for (int number = 2; number <= 254; number++) {
            assertThat(next(ONE, Set.of())).as("number %d", number).noneMatch(given::contains);
            given.addAll(List.of(ONE.podIpv4(number), ONE.podIpv6(number)));
        }

        assertThat(next(ONE, Set.of())).containsExactly(ip("10.244.1.2"), ip("fd00:244:1::2"));
    }

    @Test
    void passesOverANumberTakenInEitherFamily() {
        assertThat(next(ONE, Set.of(ip("10.244.1.2"), ip("fd00:244:1::3"))))
                .containsExactly(ip("10.244.1.4"), ip("fd00:244:1::4"));
    }

    @Test
    void saysWhenTheRangeIsUsedUp() {
        var taken = new HashSet<InetAddress>();
        for (int number = 2; number <= 254; number++) {
            taken.add(ONE.podIpv4(number));
        }

        assertThat(pool.next(ONE, taken)).isEmpty();
        taken.remove(ONE.podIpv4(200));
        assertThat(next(ONE, taken)).containsExactly(ONE.podIpv4(200), ONE.podIpv6(200));
    }

    private List<InetAddress> next(NodeSlot node, Set<InetAddress> taken) {
        return pool.next(node, taken).orElseThrow();
    }

    private static InetAddress ip(String literal) {
        return LabAddresses.address(literal);
    }
}
