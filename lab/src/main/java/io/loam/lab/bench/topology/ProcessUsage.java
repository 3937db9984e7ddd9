package io.loam.lab.bench.topology;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collection;

/// What processes have used so far, all their threads together, from proc(5).
///
/// @param cpuSeconds user and system time
/// @param residentBytes physical memory of the larger one now
public record ProcessUsage(double cpuSeconds, long residentBytes) {
    /// USER_HZ: what the kernel counts in towards programs, 100 on every architecture we run on.
    private static final double TICKS_PER_SECOND = 100;

    /// Of `utime` behind the name in parentheses, which may hold spaces; `stime` is the next.
    private static final int USER_TIME = 11;

    private static final int START_TIME = 19;

    private static final String RESIDENT = "VmRSS:";

    /// @throws IOException if one of them has ended
    public static ProcessUsage of(Collection<Long> pids) throws IOException {
        double cpuSeconds = 0;
        long resident = 0;
        for (long pid : pids) {
            var directory = Path.of("/proc", Long.toString(pid));
            cpuSeconds += cpuSeconds(Files.readString(directory.resolve("stat")));
            resident = Math.max(resident, residentBytes(Files.readString(directory.resolve("status"))));
        }
        return new ProcessUsage(cpuSeconds, resident);
    }

    /// How long ago the kernel made the process; in steps of 10 ms.
    ///
    /// @throws IOException if it has ended
    static double ageSeconds(long pid) throws IOException {
        var stat = Files.readString(Path.of("/proc", Long.toString(pid), "stat"));
        var uptime = Files.readString(Path.of("/proc/uptime")).split(" ")[0];
        return Double.parseDouble(uptime) - startSeconds(stat);
    }

    /// @return seconds since boot
    static double startSeconds(String stat) {
        return Long.parseLong(fields(stat)[START_TIME]) / TICKS_PER_SECOND;
    }

    /// Those behind the name.
    private static String[] fields(String stat) {
        return stat.substring(stat.lastIndexOf(')') + 2).split(" ");
    }

    static double cpuSeconds(String stat) {
        var fields = fields(stat);
        return (Long.parseLong(fields[USER_TIME]) + Long.parseLong(fields[USER_TIME + 1])) / TICKS_PER_SECOND;
    }

    static long residentBytes(String status) {
        return status.lines()
                        .filter(line -> line.startsWith(RESIDENT))
                        .map(line -> line.substring(RESIDENT.length()).strip().split(" ")[0])
                        .mapToLong(Long::parseLong)
                        .findFirst()
                        .orElse(0) // a process that is ending has none
                * 1024;
    }
}
