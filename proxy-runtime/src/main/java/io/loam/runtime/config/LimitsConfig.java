package io.loam.runtime.config;

/// What connections may hold at one time, of one workload and in total (hazards, rule 6). Whoever comes when a limit
/// is reached is refused, those who are there are kept.
///
/// @param sockets of all connections and tunnels together; at least 1
/// @param workloadSockets of one pod's; 1 to `sockets`. Default three quarters, so that one pod can hold nearly all
///     that a node has and never keeps the others from opening any
/// @param dials in progress on the node; at least 1. Default 8192: at 10 s each, what a dead network piles up
/// @param workloadDials in progress for one pod; 1 to `dials`. Default half of that
public record LimitsConfig(int sockets, int workloadSockets, int dials, int workloadDials) {
    /// Descriptors that connections leave alone, for log, control plane, CA, namespaces and listeners of pods that
    /// join (hazard P10).
    public static final int RESERVED_DESCRIPTORS = 64;

    private static final int DIALS = 8192;

    public LimitsConfig {
        new Checks()
                .range("limits sockets", sockets, 1, Integer.MAX_VALUE)
                .range("limits workloadSockets", workloadSockets, 1, sockets)
                .range("limits dials", dials, 1, Integer.MAX_VALUE)
                .range("limits workloadDials", workloadDials, 1, dials)
                .done();
    }

    /// @param descriptors this process may open
    /// @param open it has open before the first connection
    /// @throws ConfigException if nothing is left for connections
    public static LimitsConfig within(long descriptors, long open) {
        long left = descriptors - open - RESERVED_DESCRIPTORS;
        if (left < 2) {
            throw new ConfigException("limit of open files: " + descriptors + " (expected: more than "
                    + (open + RESERVED_DESCRIPTORS + 1) + ", since " + open + " are open and " + RESERVED_DESCRIPTORS
                    + " are reserved; raise it with ulimit -n or LimitNOFILE)");
        }
        int sockets = (int) Math.min(left, Integer.MAX_VALUE);
        return new LimitsConfig(sockets, (int) (sockets * 3L / 4), DIALS, DIALS / 2);
    }
}
