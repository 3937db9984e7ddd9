package io.loam.agent.inbound;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.connections.Telemetry;
import io.loam.runtime.accesslog.AccessLog;
import io.loam.runtime.config.LogConfig;
import io.loam.runtime.metrics.TrafficMetrics;
import io.loam.runtime.time.SystemTimer;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.DecoderException;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.CounterSnapshot;
import java.io.IOException;
import java.io.OutputStream;
import javax.net.ssl.SSLException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Hazards, rule 7: a bug ends one connection and is counted.
class TunnelTailTest {
    private final PrometheusRegistry metrics = new PrometheusRegistry();
    private final AccessLog accessLog = new AccessLog(LogConfig.Format.PLAIN, OutputStream.nullOutputStream(), metrics);
    private final EmbeddedChannel channel = new EmbeddedChannel(
            new TunnelTail(new Telemetry(new TrafficMetrics(metrics), accessLog, new SystemTimer())));

    @AfterEach
    void close() {
        accessLog.close();
    }

    @Test
    void aBugEndsTheConnectionAndIsCounted() {
        channel.pipeline().fireExceptionCaught(new IllegalStateException("bug"));
        assertThat(channel.isOpen()).isFalse();
        assertThat(bugs()).isEqualTo(1);
    }

    @Test
    void aPeersFaultEndsTheConnectionAndIsNoBug() {
        channel.pipeline().fireExceptionCaught(new DecoderException(new SSLException("bad record")));
        channel.pipeline().fireExceptionCaught(new IOException("Connection reset by peer"));
        assertThat(channel.isOpen()).isFalse();
        assertThat(bugs()).isZero();
    }

    private double bugs() {
        return metrics.scrape("loam_connection_bugs"::equals).stream()
                .mapToDouble(found ->
                        ((CounterSnapshot) found).getDataPoints().getFirst().getValue())
                .sum();
    }
}
