package io.loam.runtime.metrics;

import com.sun.management.UnixOperatingSystemMXBean;
import io.netty.buffer.ByteBufAllocator;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.internal.PlatformDependent;
import io.prometheus.metrics.core.metrics.Gauge;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.lang.management.ManagementFactory;

/// Descriptors and memory of this process, read when someone asks.
public final class ProcessMetrics {
    private ProcessMetrics() {}

    /// @param component value of the label in `istio_build`
    public static void register(PrometheusRegistry registry, String component, String version) {
        Gauge.builder() // an Info would be called istio_build_info, and dashboards ask for istio_build
                .name("istio_build")
                .help("The program and its version")
                .labelNames("component", "tag")
                .register(registry)
                .labelValues(component, version)
                .set(1);
        if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system) {
            gauge(registry, "process_open_fds", "Open descriptors", system::getOpenFileDescriptorCount);
            gauge(registry, "process_max_fds", "Limit of open descriptors", system::getMaxFileDescriptorCount);
        }
        gauge(registry, "loam_direct_memory_bytes", "Memory for buffers", PlatformDependent::usedDirectMemory);
        if (ByteBufAllocator.DEFAULT instanceof PooledByteBufAllocator pool) {
            gauge(registry, "loam_buffered_bytes", "Of it, what buffers hold", pool::pinnedDirectMemory);
        }
        gauge(
                registry,
                "loam_heap_used_bytes",
                "Heap in use",
                () -> ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
    }

    private static void gauge(
            PrometheusRegistry registry, String name, String help, java.util.function.LongSupplier value) {
        GaugeWithCallback.builder()
                .name(name)
                .help(help)
                .callback(callback -> callback.call((double) value.getAsLong()))
                .register(registry);
    }
}
