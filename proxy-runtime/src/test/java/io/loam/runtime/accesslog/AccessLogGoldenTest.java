package io.loam.runtime.accesslog;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.runtime.config.LogConfig;
import java.util.ArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/// Wire reference, 8.2: the order of the fields, what is quoted, what is left out. The plain lines stand here with `|`
/// for the tab.
class AccessLogGoldenTest {
    @Test
    void plainLines() {
        assertThat(plain(Samples.tunnelled())).isEqualTo("""
                2026-01-01T00:00:00.000000Z|info|access|connection complete|\
                src.addr=10.244.0.5:40000 src.workload="web-5d-x1" src.namespace="shop" \
                src.identity="spiffe://cluster.local/ns/shop/sa/web" src.cluster="Kubernetes" \
                dst.addr=10.244.1.7:15008 dst.hbone_addr=10.244.1.7:8080 dst.service="cart.shop.svc.cluster.local" \
                dst.workload="cart-7f-z9" dst.namespace="shop" \
                dst.identity="spiffe://cluster.local/ns/shop/sa/cart" dst.cluster="Kubernetes" \
                direction="outbound" bytes_sent=120 bytes_recv=3400 duration="12ms"
                """);
        assertThat(plain(Samples.plaintext())).isEqualTo("""
                2026-01-01T00:00:00.000000Z|info|access|connection complete|\
                src.addr=10.244.0.5:40000 src.workload="web-5d-x1" src.namespace="shop" src.cluster="Kubernetes" \
                dst.addr=203.0.113.1:443 direction="outbound" bytes_sent=7 bytes_recv=9 duration="61000ms"
                """);
        assertThat(plain(Samples.early())).isEqualTo("""
                2026-01-01T00:00:00.000000Z|warn|access|connection failed|\
                src.addr=10.244.0.5:40000 dst.addr=10.244.1.7:15008 direction="inbound" error="no certificate" \
                code="NO_CERTIFICATE"
                """);
    }

    /// The authority comes from the peer and the error may quote it: neither may end the line or a quotation.
    @Test
    void hostileTextStaysInItsField() {
        assertThat(plain(Samples.denied())).isEqualTo("""
                2026-01-01T00:00:00.500000Z|error|access|connection complete|\
                src.addr=[fd00:244:0:0:0:0:0:5]:40000 src.identity="spiffe://cluster.local/ns/shop/sa/web" \
                dst.addr=[fd00:244:1:0:0:0:0:7]:15008 dst.hbone_addr=[fd00:244:1::7]:8080?"x \
                dst.workload="cart-7f-z9" dst.namespace="shop" \
                dst.identity="spiffe://cluster.local/ns/shop/sa/cart" dst.cluster="Kubernetes" \
                direction="inbound" bytes_sent=0 bytes_recv=0 duration="1ms" \
                error="denied by shop/\\"deny\\\\all\\"\\u000arule 0" code="POLICY_DENIED" \
                dry_run="would be denied by shop/later rule 1"
                """);
    }

    @Test
    void jsonLines() {
        assertThat(json(Samples.tunnelled())).isEqualTo("""
                {"level":"info","time":"2026-01-01T00:00:00.000000Z","scope":"access","message":"connection complete",\
                "src.addr":"10.244.0.5:40000","src.workload":"web-5d-x1","src.namespace":"shop",\
                "src.identity":"spiffe://cluster.local/ns/shop/sa/web","src.cluster":"Kubernetes",\
                "dst.addr":"10.244.1.7:15008","dst.hbone_addr":"10.244.1.7:8080",\
                "dst.service":"cart.shop.svc.cluster.local","dst.workload":"cart-7f-z9","dst.namespace":"shop",\
                "dst.identity":"spiffe://cluster.local/ns/shop/sa/cart","dst.cluster":"Kubernetes",\
                "direction":"outbound","bytes_sent":120,"bytes_recv":3400,"duration":"12ms"}
                """);
    }

    @Test
    void everyJsonLineIsJsonAndSaysTheSame() throws Exception {
        var entries = Stream.of(Samples.tunnelled(), Samples.denied(), Samples.plaintext(), Samples.early())
                .toList();
        var errors = new ArrayList<String>();
        for (var entry : entries) {
            var tree = new ObjectMapper().readTree(json(entry));
            assertThat(tree.path("direction").asText()).isEqualTo(entry.direction().label);
            errors.add(tree.path("error").asText());
        }

        assertThat(errors).containsExactly("", "denied by shop/\"deny\\all\"\nrule 0", "", "no certificate");
    }

    private static String plain(AccessLogEntry entry) {
        return line(LogConfig.Format.PLAIN, entry).replace('\t', '|');
    }

    private static String json(AccessLogEntry entry) {
        return line(LogConfig.Format.JSON, entry);
    }

    private static String line(LogConfig.Format format, AccessLogEntry entry) {
        var out = new StringBuilder();
        new AccessLogFormat(format).append(out, entry);
        return out.toString();
    }
}
