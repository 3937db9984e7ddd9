package io.loam.runtime.admin;

import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.OpenMetricsTextFormatWriter;
import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;

/// `/metrics`: Prometheus text, or OpenMetrics for who asks for it.
public final class MetricsPage {
    private final PrometheusRegistry registry;

    public MetricsPage(PrometheusRegistry registry) {
        this.registry = registry;
    }

    public HttpReply render(HttpRequest request) {
        ExpositionFormatWriter writer = request.accept().contains("application/openmetrics-text")
                ? OpenMetricsTextFormatWriter.builder().build()
                : PrometheusTextFormatWriter.builder().build();
        var out = new ByteArrayOutputStream();
        try {
            writer.write(out, registry.scrape());
        } catch (IOException e) {
            throw new UncheckedIOException(e); // a byte array does not fail to take bytes
        }
        return new HttpReply(200, writer.getContentType(), out.toString(StandardCharsets.UTF_8));
    }
}
