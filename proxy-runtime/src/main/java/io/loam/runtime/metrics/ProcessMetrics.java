package io.loam.runtime.metrics;

import com.sun.management.UnixOperatingSystemMXBean;
import io.netty.util.internal.PlatformDependent;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Info;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.lang.management.ManagementFactory;

/// Descriptors and memory of this process, read when someone asks.
public final class ProcessMetrics {
    private ProcessMetrics() {}

    /// @param component value of the label in `istio_build`
    public static void register(PrometheusRegistry registry, String component, String version) {
        Info.builder()
                .name("istio_build_info")
                .help("The program and its version")
                .labelNames("component", "tag")
                .register(registry)
                .addLabelValues(component, version);
        if (ManagementFactory.getOperatingSystemMXBean() instanceof UnixOperatingSystemMXBean system) {
            gauge(registry, "process_open_fds", "Open descriptors", system::getOpenFileDescriptorCount);
            gauge(registry, "process_max_fds", "Limit of open descriptors", system::getMaxFileDescriptorCount);
        }
        gauge(registry, "loam_direct_memory_bytes", "Buffers outside the heap", PlatformDependent::usedDirectMemory);
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
