package io.loam.agent;

import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

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
    private static final int DIRECT_MIB = 80;

    /// Has Netty reserve direct memory itself and count it against {@link #DIRECT_MIB}, so that where none is
    /// left it says so at once. Without, each piece comes from the JDK, which then collects garbage and sleeps
    /// up to half a second before it says no, on the event loop and for every buffer (java.nio.Bits): of 100
    /// connections that came at once 40 had heard nothing after 20 s (hazard P11). The JDK also fills each
    /// piece with zeros, Netty does not.
    private static final String NETTY_COUNTS = "-Dio.netty.tryReflectionSetAccessible=true";

    private static final String NETTY_MAY_COUNT = "--add-opens=java.base/java.nio=ALL-UNNAMED";

    /// Large buffers that a loop keeps for itself, of each size. Netty gives them out in turn, so with 64 of
    /// them, as by default, a burst that had many in hand leaves megabytes in the turn, and every read lands on
    /// memory that the processor's cache has long lost: 10 to 15 % more CPU per byte. What is beyond goes back
    /// to the arena.
    private static final String FEW_KEPT_BUFFERS = "-Dio.netty.allocator.normalCacheSize=4";

    /// Name of the AOT cache (JEP 514) that {@link AgentTraining} makes, in the folder of the agent's jar file.
    private static final String CACHE = "agent.aot";

    /// Folder beside the jar files with the native libraries that they contain.
    private static final String LIBRARIES = "native";

    /// How the agent's jar file is called, whatever its version.
    private static final String JAR = "node-agent-";

    /// Maps the cache to the address it was made for. Elsewhere, the JVM's default, all of it has to be patched
    /// at each start: 40 ms, and 22 MiB of every agent that would else be shared pages of the file. Price: an
    /// attacker who can already read and write the process's memory knows where its classes are, though still
    /// no other address.
    private static final String WHERE_MADE = "-XX:ArchiveRelocationMode=0";

    /// Of these, what peers may have sent that no application has taken (hazard T8): with two workers enough
    /// for one tunnel of each with a full window. The rest is for what applications send, for records on
    /// their way through TLS, and for what pooling wastes.
    static final long RECEIVED_BYTES = (DIRECT_MIB * 3L / 5) << 20;

    private AgentJvm() {}

    /// What {@link #flags} has to be followed by where an AOT cache lies beside the agent's jar file: classes
    /// come loaded and linked, and methods that were hot in training are compiled early. A cache that does not
    /// fit, because jar files, flags or the JVM have changed, is passed over by the JVM, which says so and
    /// starts as it does without.
    ///
    /// @param classPath of the agent; the JVM wants the one that the cache was made with
    public static List<String> cacheFlags(String classPath) {
        return cache(classPath)
                .map(file -> List.of("-XX:AOTCache=" + file, "-XX:+UnlockDiagnosticVMOptions", WHERE_MADE))
                .orElse(List.of());
    }

    /// Where the native libraries lie beside the agent's jar file, they are loaded from there. Without, Netty looks
    /// for them in all jar files and writes each to a file of its own, at every start.
    ///
    /// @param classPath of the agent
    public static List<String> libraryFlags(String classPath) {
        return beside(classPath, LIBRARIES)
                .filter(Files::isDirectory)
                .map(folder -> List.of("-Djava.library.path=" + folder))
                .orElse(List.of());
    }

    private static Optional<Path> cache(String classPath) {
        return beside(classPath, CACHE).filter(Files::isRegularFile);
    }

    /// Where classes are not in jar files, as in a build, there is nothing.
    private static Optional<Path> beside(String classPath, String name) {
        for (var entry : classPath.split(File.pathSeparator)) {
            var jar = Path.of(entry);
            if (jar.getFileName() != null && jar.getFileName().toString().startsWith(JAR) && entry.endsWith(".jar")) {
                return Optional.of(jar.toAbsolutePath().resolveSibling(name));
            }
        }
        return Optional.empty();
    }

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
                "-XX:-HeapDumpOnOutOfMemoryError", // the same, whatever JAVA_TOOL_OPTIONS says; and see ProcessMemory
                "-XX:-CreateCoredumpOnCrash",
                "-Dio.netty.allocator.type=pooled", // 10 to 14 % less CPU per byte than the default
                "-Dio.netty.allocator.maxOrder=7", // chunks of 1 MiB: with 4, as by default, three lie half empty
                "-Dio.netty.allocator.maxCachedBufferCapacity=131072", // reads of 64 KiB as well
                FEW_KEPT_BUFFERS,
                "-Dio.netty.allocator.numDirectArenas=" + workers,
                "-Dio.netty.allocator.numHeapArenas=1",
                "-Dio.netty.leakDetection.level=disabled",
                "-Dio.netty.machineId=02:00:00:00:00:00", // or it looks at every interface of the node
                "-Dio.netty.jfr.enabled=false", // its event classes bring the recorder's, 70 ms and 3 MiB
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow", // Netty's direct buffers
                NETTY_COUNTS,
                NETTY_MAY_COUNT);
    }
}
