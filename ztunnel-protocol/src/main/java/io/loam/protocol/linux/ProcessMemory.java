package io.loam.protocol.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;

/// Who may look into this process, which holds private keys (hazard I22).
public final class ProcessMemory {
    private ProcessMemory() {}

    /// Takes from other processes of the same user what the kernel would let them do: read or write our memory, attach
    /// to us, list our open files; and lets no crash write our memory to a file (prctl(2), PR_SET_DUMPABLE;
    /// setrlimit(2), RLIMIT_CORE). For good: a limit that was lowered to 0 stays there. Whoever has the capability
    /// SYS_PTRACE may still look.
    public static void keepToOurselves() throws IOException {
        try (var arena = Arena.ofConfined()) {
            var none = arena.allocate(2 * Long.BYTES, 8); // rlim_cur, rlim_max
            none.set(JAVA_LONG, 0, 0);
            none.set(JAVA_LONG, Long.BYTES, 0);
            Libc.setrlimit(Libc.RLIMIT_CORE, none);
        }
        int _ = Libc.prctl(Libc.PR_SET_DUMPABLE, 0);
    }

    /// Whether the kernel lets processes of the same user look into this one.
    public static boolean isOpenToOthers() throws IOException {
        return Libc.prctl(Libc.PR_GET_DUMPABLE, 0) != 0;
    }
}
