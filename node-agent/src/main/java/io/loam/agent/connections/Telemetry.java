package io.loam.agent.connections;

import io.loam.runtime.accesslog.AccessLog;
import io.loam.runtime.metrics.TrafficMetrics;
import io.loam.runtime.time.Timer;

/// Where connections report.
public record Telemetry(TrafficMetrics metrics, AccessLog accessLog, Timer clock) {}
