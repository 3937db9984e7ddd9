package io.loam.model.decision;

import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.service.Service;
import io.loam.model.service.Service.IpFamilies;
import java.net.InetAddress;
import java.util.HashMap;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class NamedEndpointTest {
    private static final InetAddress IPV4 = InetAddress.ofLiteral("240.240.0.1");
    private static final InetAddress IPV6 = InetAddress.ofLiteral("2001:2::1");
    private static final List<InetAddress> BOTH = addresses("192.0.2.1", "2001:db8::1");

    private static List<InetAddress> addresses(String... texts) {
        return Stream.of(texts).map(InetAddress::ofLiteral).toList();
    }

    private static @Nullable InetAddress choose(
            List<InetAddress> addresses, @Nullable Service service, InetAddress requested) {
        return NamedEndpoint.choose(addresses, service, requested, new Random(1));
    }

    @ParameterizedTest
    @CsvSource({
        "AUTOMATIC, 240.240.0.1, 192.0.2.1",
        "AUTOMATIC, 2001:2::1,   2001:db8::1",
        "DUAL,      2001:2::1,   2001:db8::1",
        "IPV4_ONLY, 2001:2::1,   192.0.2.1",
        "IPV6_ONLY, 240.240.0.1, 2001:db8::1"
    })
    void prefersTheFamilyThatWasAskedForWithinTheServices(IpFamilies families, String requested, String expected) {
        var service =
                service("db", "10.96.0.1").with(s -> s.families = families).build();
        assertThat(choose(BOTH, service, InetAddress.ofLiteral(requested))).isEqualTo(InetAddress.ofLiteral(expected));
    }

    @Test
    void takesTheOtherFamilyWhereThereIsNoneOfIt() {
        assertThat(choose(addresses("192.0.2.1"), null, IPV6)).isEqualTo(InetAddress.ofLiteral("192.0.2.1"));
        assertThat(choose(addresses("2001:db8::1"), null, IPV4)).isEqualTo(InetAddress.ofLiteral("2001:db8::1"));
        var ipv4 = service("db", "10.96.0.1").with(s -> s.families = IpFamilies.IPV4_ONLY);
        assertThat(choose(addresses("2001:db8::1"), ipv4.build(), IPV4)).isNull();
    }

    /// The agent's connections are exempt from capture: nobody's name may lead them to the agent's own ports.
    @ParameterizedTest
    @ValueSource(
            strings = {
                "127.0.0.1",
                "127.8.8.8",
                "::1",
                "0.0.0.0",
                "::",
                "169.254.169.254",
                "fe80::1",
                "224.0.0.1",
                "ff02::1",
                "::ffff:127.0.0.1"
            })
    void leavesOutWhatIsInThePodOrOnItsLink(String address) {
        assertThat(choose(addresses(address), null, IPV4)).isNull();
        assertThat(choose(addresses(address, "192.0.2.1"), null, IPV6)).isEqualTo(InetAddress.ofLiteral("192.0.2.1"));
    }

    @Test
    void everyAddressGetsItsShare() {
        var random = new Random(7);
        var addresses = addresses("192.0.2.1", "192.0.2.2", "127.0.0.1", "192.0.2.3", "2001:db8::1");
        var counts = new HashMap<InetAddress, Integer>();
        for (int i = 0; i < 3_000; i++) {
            counts.merge(NamedEndpoint.choose(addresses, null, IPV4, random), 1, Integer::sum);
        }
        assertThat(counts).hasSize(3);
        assertThat(counts.values()).allSatisfy(count -> assertThat(count).isBetween(850, 1_150));
    }
}
