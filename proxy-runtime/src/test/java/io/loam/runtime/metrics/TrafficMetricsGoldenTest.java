package io.loam.runtime.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.DryRunFinding;
import io.loam.model.workload.Workload;
import io.loam.runtime.accesslog.Samples;
import io.loam.runtime.admin.HttpRequest;
import io.loam.runtime.admin.MetricsPage;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/// Wire reference, 8.1: the exposition of one tunnelled, one plaintext and one refused connection, each label in place;
/// a locality that nobody knows has no label.
/// The order of labels within a series means nothing, so both sides are compared with sorted ones.
class TrafficMetricsGoldenTest {
    private static final String WEB = """
            source_workload="web-deployment",source_canonical_service="web",source_canonical_revision="v1",\
            source_workload_namespace="shop",source_principal="%s",source_app="web",source_version="v1",\
            source_cluster="Kubernetes",""";

    private static final String NO_SERVICE = """
            destination_service="unknown",destination_service_namespace="unknown",destination_service_name="unknown",""";

    private static final String CART = """
            destination_workload="cart-deployment",destination_canonical_service="cart",\
            destination_canonical_revision="v1",destination_workload_namespace="shop",destination_principal="%s",\
            destination_app="cart",destination_version="v1",destination_cluster="Kubernetes",""";

    private static final String NOBODY = """
            destination_workload="unknown",destination_canonical_service="unknown",\
            destination_canonical_revision="unknown",destination_workload_namespace="unknown",\
            destination_principal="unknown",destination_app="unknown",destination_version="unknown",\
            destination_cluster="unknown",""";

    private static final String PLACE = """
            source_region="eu",source_zone="eu-1"}\s""";

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final TrafficMetrics metrics = new TrafficMetrics(registry);

    @Test
    void whatDryRunPoliciesWouldHaveDone() {
        metrics.dryRun(new DryRunFinding.WouldDeny("shop/later", 0));
        metrics.dryRun(new DryRunFinding.WouldDeny("shop/later", 3));
        metrics.dryRun(new DryRunFinding.WouldAllow("shop/some", 1));
        metrics.dryRun(new DryRunFinding.NoneWouldAllow(2));

        assertThat(scrape())
                .contains("loam_policy_dry_run_total{policy=\"shop/later\",verdict=\"deny\"} 2.0")
                .contains("loam_policy_dry_run_total{policy=\"shop/some\",verdict=\"allow\"} 1.0")
                .contains("loam_policy_dry_run_total{policy=\"none\",verdict=\"deny\"} 1.0");
    }

    @Test
    void aTunnelledConnection() {
        var open = metrics.open(labels(Samples.CART, Samples.WEB_ID, Samples.CART_ID, true));
        open.publishBytes(100, 2000);
        open.publishBytes(120, 3400); // totals, not differences
        assertThat(scrape()).contains("istio_tcp_sockets_open{reporter=\"source\"} 1.0");
        open.close(FailureFlag.NONE);

        var labels = "reporter=\"source\"," + WEB.formatted(Samples.WEB_ID) + NO_SERVICE
                + CART.formatted(Samples.CART_ID)
                + "request_protocol=\"tcp\",response_flags=\"-\",connection_security_policy=\"mutual_tls\"," + PLACE;
        assertThat(series())
                .containsExactlyInAnyOrderElementsOf(sorted(
                        "istio_tcp_connections_opened_total{" + labels + "1.0",
                        "istio_tcp_connections_closed_total{" + labels + "1.0",
                        "istio_tcp_received_bytes_total{" + labels + "120.0",
                        "istio_tcp_sent_bytes_total{" + labels + "3400.0",
                        "istio_tcp_sockets_open{reporter=\"source\"} 0.0",
                        "loam_connection_bugs_total 0.0",
                        "loam_traffic_series_folded_total 0.0"));
    }

    @Test
    void aPlaintextConnection() {
        var open = metrics.open(labels(null, null, null, false));
        open.publishBytes(7, 9);
        open.close(FailureFlag.NONE);

        var labels = "reporter=\"source\"," + WEB.formatted("unknown") + NO_SERVICE + NOBODY
                + "request_protocol=\"tcp\",response_flags=\"-\",connection_security_policy=\"unknown\"," + PLACE;
        assertThat(series())
                .containsAll(sorted(
                        "istio_tcp_connections_opened_total{" + labels + "1.0",
                        "istio_tcp_received_bytes_total{" + labels + "7.0",
                        "istio_tcp_sent_bytes_total{" + labels + "9.0"));
    }

    /// `closed` counts every opened connection, failed ones included; the reason is on `failed` and `closed`.
    @Test
    void aRefusedConnection() {
        metrics.refused(labels(Samples.CART, Samples.WEB_ID, Samples.CART_ID, true), FailureFlag.DENY);

        var who = "reporter=\"source\"," + WEB.formatted(Samples.WEB_ID) + NO_SERVICE + CART.formatted(Samples.CART_ID);
        var end = "connection_security_policy=\"mutual_tls\"," + PLACE;
        assertThat(series())
                .containsExactlyInAnyOrderElementsOf(sorted(
                        "istio_tcp_connections_opened_total{" + who + "request_protocol=\"tcp\",response_flags=\"-\","
                                + end + "1.0",
                        "istio_tcp_connections_failed_total{" + who
                                + "request_protocol=\"tcp\",response_flags=\"DENY\"," + end + "1.0",
                        "istio_tcp_connections_closed_total{" + who
                                + "request_protocol=\"tcp\",response_flags=\"DENY\"," + end + "1.0",
                        "loam_connection_bugs_total 0.0",
                        "loam_traffic_series_folded_total 0.0"));
    }

    private static TrafficLabels labels(
            @Nullable Workload destination, @Nullable SpiffeId from, @Nullable SpiffeId to, boolean mutualTls) {
        return new TrafficLabels(Reporter.SOURCE, Samples.WEB, destination, null, from, to, mutualTls);
    }

    private List<String> series() {
        return sorted(scrape().lines().filter(line -> !line.startsWith("#")).toArray(String[]::new));
    }

    private static List<String> sorted(String... series) {
        return Stream.of(series).map(TrafficMetricsGoldenTest::sortLabels).toList();
    }

    private static String sortLabels(String series) {
        int begin = series.indexOf('{');
        int end = series.lastIndexOf('}');
        if (begin < 0) {
            return series;
        }
        var labels = Stream.of(series.substring(begin + 1, end).split(",", -1))
                .sorted()
                .collect(Collectors.joining(","));
        return series.substring(0, begin + 1) + labels + series.substring(end);
    }

    private String scrape() {
        return new MetricsPage(registry)
                .render(new HttpRequest("GET", Map.of(), ""))
                .body();
    }
}
