package io.loam.runtime.accesslog;

import io.loam.model.workload.Workload;
import io.loam.runtime.config.LogConfig;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Which connections get a line, how it looks, and how many there may be.
///
/// @param onlyErrors leaves out connections that went well
/// @param namespaces only connections with one side in one of them; empty: all
/// @param workloads only connections with one side that is one of them, by pod, workload or canonical name; empty: all
/// @param linesPerSecond more are left out, counted and said; 0: no limit. Default 0
public record AccessLogSettings(
        LogConfig.Format format,
        boolean onlyErrors,
        Set<String> namespaces,
        Set<String> workloads,
        int linesPerSecond) {
    /// More is no limit.
    public static final int MOST_LINES_PER_SECOND = 1_000_000;

    public AccessLogSettings {
        namespaces = Set.copyOf(namespaces);
        workloads = Set.copyOf(workloads);
        if (linesPerSecond < 0 || linesPerSecond > MOST_LINES_PER_SECOND) {
            throw new IllegalArgumentException(
                    "rate: " + linesPerSecond + " (expected: 0 to " + MOST_LINES_PER_SECOND + " lines per second)");
        }
    }

    /// Every connection, without a limit.
    public static AccessLogSettings all(LogConfig.Format format) {
        return new AccessLogSettings(format, false, Set.of(), Set.of(), 0);
    }

    boolean wants(AccessLogEntry entry) {
        if (onlyErrors && entry.kind() == AccessLogEntry.Kind.COMPLETE) {
            return false;
        }
        return (namespaces.isEmpty() || isInNamespace(entry.source()) || isInNamespace(entry.destination()))
                && (workloads.isEmpty() || isOne(entry.source()) || isOne(entry.destination()));
    }

    private boolean isInNamespace(@Nullable Workload workload) {
        return workload != null && namespaces.contains(workload.namespace());
    }

    private boolean isOne(@Nullable Workload workload) {
        return workload != null
                && (workloads.contains(workload.name())
                        || workloads.contains(workload.workloadName())
                        || workloads.contains(workload.canonicalName()));
    }
}
