package io.loam.runtime.metrics;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshView;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.DryRunFinding;
import io.loam.runtime.accesslog.Samples;
import io.loam.runtime.admin.HttpRequest;
import io.loam.runtime.admin.MetricsPage;
import io.loam.runtime.time.ManualTimer;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Wire reference, section 13, row 14: series of pods that are gone disappear, those of quiet ones do not.
class SeriesExpiryTest {
    private static final Duration EXPIRED = SeriesExpiry.RETENTION.plus(SeriesExpiry.INTERVAL.multipliedBy(2));

    private final PrometheusRegistry registry = new PrometheusRegistry();
    private final TrafficMetrics metrics = new TrafficMetrics(registry);
    private final MeshView mesh = new MeshView();
    private final ManualTimer clock = new ManualTimer();

    @BeforeEach
    void start() {
        publish(MeshDelta.builder().upsert(Samples.WEB).upsert(Samples.CART));
        new SeriesExpiry(clock, mesh, Runnable::run, List.of(metrics)).start();
    }

    @Test
    void seriesOfAQuietPodStay() {
        metrics.open(webToCart()).close(FailureFlag.NONE);

        clock.advance(Duration.ofDays(1));

        assertThat(scrape()).contains("destination_workload=\"cart-deployment\"");
    }

    @Test
    void seriesOfAPodThatIsGoneDisappear() {
        var open = metrics.open(webToCart());
        open.publishBytes(1, 2);
        open.close(FailureFlag.NONE);
        metrics.refused(webToCart(), FailureFlag.DENY);
        publish(MeshDelta.builder().removeWorkload(Samples.CART.uid()));

        clock.advance(SeriesExpiry.RETENTION.minusMillis(1));
        assertThat(scrape()).contains("destination_workload=\"cart-deployment\"");
        clock.advance(EXPIRED);

        assertThat(scrape()).doesNotContain("cart-deployment").doesNotContain("istio_tcp_connections_opened_total{");
    }

    @Test
    void anOpenConnectionKeepsItsSeriesWhateverBecameOfThePod() {
        var open = metrics.open(webToCart());
        publish(MeshDelta.builder().removeWorkload(Samples.CART.uid()));
        clock.advance(Duration.ofHours(1));
        open.publishBytes(10, 20);
        open.close(FailureFlag.NONE);

        assertThat(scrape()).containsPattern("istio_tcp_sent_bytes_total\\{.*cart-deployment.*} 20.0");
        clock.advance(EXPIRED);
        assertThat(scrape())
                .doesNotContain("cart-deployment")
                .contains("istio_tcp_sockets_open{reporter=\"source\"} 0");
    }

    @Test
    void aPodThatComesBackCountsFromTheBeginning() {
        metrics.open(webToCart()).close(FailureFlag.NONE);
        publish(MeshDelta.builder().removeWorkload(Samples.CART.uid()));
        clock.advance(EXPIRED);

        metrics.open(webToCart()).close(FailureFlag.NONE);

        assertThat(scrape()).containsPattern("istio_tcp_connections_opened_total\\{.*cart-deployment.*} 1.0");
    }

    /// The mesh never knew it, and its principal is one of as many as a CA can sign.
    @Test
    void seriesOfAnUnknownPrincipalDisappear() {
        var stranger = new SpiffeId("elsewhere", "ns", "sa");
        metrics.open(new TrafficLabels(Reporter.DESTINATION, null, Samples.CART, null, stranger, Samples.CART_ID, true))
                .close(FailureFlag.NONE);
        metrics.open(new TrafficLabels(Reporter.DESTINATION, null, Samples.CART, null, null, null, false))
                .close(FailureFlag.NONE);

        clock.advance(EXPIRED);

        assertThat(scrape()).doesNotContain("elsewhere").contains("source_principal=\"unknown\"");
    }

    @Test
    void seriesOfADryRunPolicyGoWithThePolicy() {
        var later = new AuthorizationPolicy(
                "later", "shop", AuthorizationPolicy.Scope.NAMESPACE, AuthorizationPolicy.Action.DENY, List.of(), true);
        publish(MeshDelta.builder().upsert(later));
        metrics.dryRun(new DryRunFinding.WouldDeny("shop/later", 0));
        metrics.dryRun(new DryRunFinding.NoneWouldAllow(1));
        clock.advance(Duration.ofDays(1));
        assertThat(scrape()).contains("policy=\"shop/later\"", "policy=\"none\"");

        publish(MeshDelta.builder().removePolicy(later.key()));
        clock.advance(SeriesExpiry.INTERVAL.multipliedBy(2));
        assertThat(scrape()).contains("policy=\"shop/later\"");
        clock.advance(EXPIRED);

        assertThat(scrape()).doesNotContain("loam_policy_dry_run_total{");
    }

    @Test
    void namesAreBounded() {
        for (int i = 0; i < TrafficMetrics.MAX_SERIES + 50; i++) {
            var id = new SpiffeId("cluster.local", "shop", "caller-" + i);
            metrics.refused(
                    new TrafficLabels(Reporter.DESTINATION, null, Samples.CART, null, id, Samples.CART_ID, true),
                    FailureFlag.DENY);
        }

        var scraped = scrape();
        assertThat(scraped.lines().filter(line -> line.startsWith("istio_tcp_connections_failed_total{")))
                .hasSize(TrafficMetrics.MAX_SERIES + 1);
        assertThat(scraped).contains("loam_traffic_series_folded_total 50.0");
    }

    private static TrafficLabels webToCart() {
        return new TrafficLabels(
                Reporter.SOURCE, Samples.WEB, Samples.CART, null, Samples.WEB_ID, Samples.CART_ID, true);
    }

    private void publish(MeshDelta.Builder delta) {
        mesh.publish(mesh.current().apply(delta.build()));
    }

    private String scrape() {
        return new MetricsPage(registry)
                .render(new HttpRequest("GET", Map.of(), ""))
                .body();
    }
}
