package io.loam.lab.node;

import java.util.List;

/// How an agent's JVM is started: small, one collector thread, native calls without warnings.
final class AgentJvm {
    static final List<String> FLAGS = List.of(
            "-XX:+UseSerialGC",
            "-XX:+UseCompactObjectHeaders",
            "-XX:TieredStopAtLevel=4",
            "-Xmx128m",
            "-XX:MaxDirectMemorySize=128m",
            "-Xss512k",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow");

    private AgentJvm() {}
}
