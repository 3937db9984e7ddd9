package io.loam.runtime.config;

/// Where operators look. 0 lets the kernel choose, for tests.
///
/// @param adminPort loopback only: dumps, log levels, shutdown (`LOAM_ADMIN_PORT`). Default 15000
/// @param statsPort metrics (`LOAM_STATS_PORT`). Default 15020
/// @param readinessPort `/healthz/ready` (`LOAM_READINESS_PORT`). Default 15021
public record AdminConfig(int adminPort, int statsPort, int readinessPort) {
    public AdminConfig {
        new Checks()
                .range("LOAM_ADMIN_PORT", adminPort, 0, 65535)
                .range("LOAM_STATS_PORT", statsPort, 0, 65535)
                .range("LOAM_READINESS_PORT", readinessPort, 0, 65535)
                .done();
    }
}
