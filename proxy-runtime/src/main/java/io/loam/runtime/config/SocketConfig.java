package io.loam.runtime.config;

import java.time.Duration;

/// The sockets inside pods.
///
/// @param mark SO_MARK of each (`PACKET_MARK`). Default 1337: what the redirection rules exempt
/// @param ipv6 whether listeners take IPv6 too (`IPV6_ENABLED`). Default true
/// @param reusePort SO_REUSEPORT on listeners (`INPOD_PORT_REUSE`). Default true; several event loops need it
/// @param keepSource inbound connections reach the application with the caller's address (`ENABLE_ORIG_SRC`). Default
///     true
/// @param keepAlive TCP keep-alive of connections to applications and peers
/// @param connectTimeout of every dial. Default 10 s
public record SocketConfig(
        int mark, boolean ipv6, boolean reusePort, boolean keepSource, KeepAlive keepAlive, Duration connectTimeout) {
    public static final int DEFAULT_MARK = 1337;

    /// What the redirection rules look at (wire reference, 1.2).
    private static final int MARK_MASK = 0xfff;

    public SocketConfig {
        new Checks()
                .require(
                        (mark & MARK_MASK) == DEFAULT_MARK,
                        "PACKET_MARK",
                        mark,
                        "1337 in the low 12 bits; the redirection rules exempt nothing else, so that the agent would"
                                + " capture its own connections")
                .done();
    }

    /// @param enabled (`KEEPALIVE_ENABLED`). Default true
    /// @param time idle time before the first probe (`KEEPALIVE_TIME`), at least 1 s. Default 180 s
    /// @param interval between probes (`KEEPALIVE_INTERVAL`), at least 1 s. Default 180 s
    /// @param retries probes without an answer before the connection is given up (`KEEPALIVE_RETRIES`). Default 9
    /// @param userTimeout whether unacknowledged bytes end a connection after time + retries × interval
    ///     (`USER_TIMEOUT_ENABLED`). Default false
    public record KeepAlive(boolean enabled, Duration time, Duration interval, int retries, boolean userTimeout) {
        public static final KeepAlive DEFAULT =
                new KeepAlive(true, Duration.ofMinutes(3), Duration.ofMinutes(3), 9, false);

        public KeepAlive {
            new Checks()
                    .require(fits(time), "KEEPALIVE_TIME", time, "1s to 32767s, what the kernel takes")
                    .require(fits(interval), "KEEPALIVE_INTERVAL", interval, "1s to 32767s, what the kernel takes")
                    .range("KEEPALIVE_RETRIES", retries, 1, 127)
                    .done();
        }

        private static boolean fits(Duration value) {
            return value.toSeconds() >= 1 && value.toSeconds() <= 32767;
        }
    }
}
