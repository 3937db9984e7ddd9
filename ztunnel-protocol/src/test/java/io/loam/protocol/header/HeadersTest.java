package io.loam.protocol.header;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetSocketAddress;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Wire reference, 2.2.
class HeadersTest {
    private static final String FULL = "k8s.cluster.name=Kubernetes,k8s.namespace.name=shop,k8s.deployment.name=cart,"
            + "service.name=cart,service.version=v1,cloud.region=r1,cloud.availability_zone=z1";

    @Test
    void baggageIsWrittenInZtunnelsOrder() {
        var baggage = new Baggage("Kubernetes", "shop", "deployment", "cart", "cart", "v1", "r1", "z1");

        assertThat(baggage.header()).isEqualTo(FULL);
        assertThat(Baggage.parse(List.of(FULL))).isEqualTo(baggage);
    }

    @Test
    void unknownPartsOfBaggageAreLeftOut() {
        assertThat(new Baggage("", "shop", "pod", "cart-1", "", "", "", "").header())
                .isEqualTo("k8s.namespace.name=shop,k8s.pod.name=cart-1");
        assertThat(Baggage.NONE.header()).isEmpty();
    }

    @Test
    void baggageIsReadTolerantly() {
        var read = Baggage.parse(List.of(
                " k8s.namespace.name = shop ;ttl=1,, userId=7,broken,=,k8s.cronjob.name=nightly",
                "service.name=first,service.name=second"));

        assertThat(read).isEqualTo(new Baggage("", "shop", "cronjob", "nightly", "second", "", "", ""));
    }

    @Test
    void valuesThatWouldEndTheirMemberAreNotSent() {
        assertThat(new Baggage("a,b", "shop\r\nx: y", "", "", "c;d", "", "", "").header())
                .isEmpty();
    }

    @Test
    void hugeBaggageIsSkipped() {
        assertThat(Baggage.parse(List.of("service.name=" + "x".repeat(10_000)))).isEqualTo(Baggage.NONE);
    }

    @Test
    void forwardedNamesSourceAndService() {
        assertThat(Forwarded.of(new InetSocketAddress("10.0.0.7", 4242), null).header())
                .isEqualTo("for=\"10.0.0.7:4242\"");
        assertThat(Forwarded.of(new InetSocketAddress("2001:db8::1", 4242), "cart.shop.svc.cluster.local")
                        .header())
                .isEqualTo("for=\"[2001:db8:0:0:0:0:0:1]:4242\";host=cart.shop.svc.cluster.local");
    }

    @Test
    void forwardedIsReadInAnyOrder() {
        assertThat(Forwarded.parse("for=\"10.0.0.7:4242\";host=cart")).contains(new Forwarded("10.0.0.7:4242", "cart"));
        assertThat(Forwarded.parse("proto=http; Host=cart ;FOR=10.0.0.7:4242, for=other"))
                .contains(new Forwarded("10.0.0.7:4242", "cart"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "for", "for=", "for=\"10.0.0.7", "host=cart", "for=\"a\"b;host=c", ";;;", "=;="})
    void brokenForwardedIsNone(String text) {
        assertThat(Forwarded.parse(text)).isEmpty();
    }

    @Test
    void aTraceParentMakesItsWay() {
        var text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

        assertThat(TraceParent.parse(text).map(TraceParent::header)).contains(text);
        var fresh = TraceParent.fresh(new Random(1));
        assertThat(TraceParent.parse(fresh.header())).isEqualTo(Optional.of(fresh));
        assertThat(fresh.header()).hasSize(55).endsWith("-00");
        assertThat(fresh.child(new Random(2)).traceId()).isEqualTo(fresh.traceId());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
                "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
                "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
                "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"
            })
    void otherTraceParentsAreIgnored(String text) {
        assertThat(TraceParent.parse(text)).isEmpty();
    }
}
