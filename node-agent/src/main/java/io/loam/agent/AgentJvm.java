package io.loam.agent;

import java.util.List;

/// How the agent's JVM is started; the lab and the images read it here, so that both run what was measured
/// (fast-path, section 6).
public final class AgentJvm {
    /// Heap: few live objects, the buffers lie outside of it.
    private static final String HEAP = "-Xmx48m";

    /// Pages of the heap that were used once stay resident, so it begins small, and so does the part for new
    /// objects, at the price of more and shorter collections. With trimming: 21 MB less at rest.
    private static final String FIRST_HEAP = "-Xms16m";

    private static final String NEW_OBJECTS = "-Xmn8m";

    /// What the compiler took from the C library during warm-up goes back to the kernel this often.
    private static final int TRIM_MILLIS = 10_000;

    /// Buffers of all loops; a refused buffer ends a connection, an unlimited one the node.
    private static final int DIRECT_MIB = 64;

    private AgentJvm() {}

    /// @param workers event loops, as in `ZTUNNEL_WORKER_THREADS`: one arena each
    public static List<String> flags(int workers) {
        return List.of(
                HEAP,
                FIRST_HEAP,
                NEW_OBJECTS,
                "-XX:TrimNativeHeapInterval=" + TRIM_MILLIS,
                "-Xss256k", // loops and clients are shallow
                "-XX:+UseSerialGC", // same tail as G1 here at half the memory
                "-XX:+UseCompactObjectHeaders",
                "-XX:MaxDirectMemorySize=" + DIRECT_MIB + "m",
                "-XX:ReservedCodeCacheSize=32m",
                "-XX:+ExitOnOutOfMemoryError", // a restart serves; a half-dead process does not (hazard P11)
                "-XX:+DisableAttachMechanism", // nobody of our user reads keys out of this process (hazard I22)
                "-Dio.netty.allocator.type=pooled", // 10 to 14 % less CPU per byte than the default
                "-Dio.netty.allocator.maxCachedBufferCapacity=131072", // reads of 64 KiB as well
                "-Dio.netty.allocator.numDirectArenas=" + workers,
                "-Dio.netty.allocator.numHeapArenas=1",
                "-Dio.netty.leakDetection.level=disabled",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow"); // Netty's direct buffers
    }
}
