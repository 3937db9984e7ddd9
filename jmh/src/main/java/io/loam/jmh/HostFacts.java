package io.loam.jmh;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// What a result depends on besides the code.
///
/// @param processor as the kernel names it
/// @param processors how many this process may use
record HostFacts(String processor, int processors, String kernel, String java) {
    private static final String MODEL_KEY = "model name";

    static HostFacts ofThisMachine() throws IOException {
        return new HostFacts(
                processorModel(),
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("os.name") + " " + System.getProperty("os.version"),
                System.getProperty("java.vm.name") + " " + Runtime.version());
    }

    private static String processorModel() throws IOException {
        try (var lines = Files.lines(Path.of("/proc/cpuinfo"))) {
            return lines.filter(line -> line.startsWith(MODEL_KEY))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(System.getProperty("os.arch")); // arm64 kernels print numbers only
        }
    }

    @Override
    public String toString() {
        return processor + " (" + processors + " in use), " + kernel + ", " + java;
    }
}
