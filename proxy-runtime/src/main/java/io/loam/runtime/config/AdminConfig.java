package io.loam.runtime.config;

/// Where operators look. 0 lets the kernel choose, for tests.
///
/// @param adminPort loopback only: dumps, log levels, shutdown (`LOAM_ADMIN_PORT`). Default 15000
/// @param statsPort metrics (`LOAM_STATS_PORT`). Default 15020
/// @param readinessPort `/healthz/ready` (`LOAM_READINESS_PORT`). Default 15021
public record AdminConfig(int adminPort, int statsPort, int readinessPort) {
    public AdminConfig {
        requirePort("LOAM_ADMIN_PORT", adminPort);
        requirePort("LOAM_STATS_PORT", statsPort);
        requirePort("LOAM_READINESS_PORT", readinessPort);
    }

    private static void requirePort(String key, int port) {
        if (port < 0 || port > 65535) {
            throw new ConfigException(key + ": " + port + " (expected: 0 to 65535)");
        }
    }
}
