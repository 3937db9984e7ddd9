package io.loam.cli.lab;

import java.io.IOException;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

/// A lab's program that never gets ready, or, told so by its file's name, does not start. Its directory is its file's.
final class SlowLab {
    private SlowLab() {}

    public static void main(String[] args) throws IOException, InterruptedException {
        var file = Path.of(args[2]);
        if (file.endsWith("broken.yaml")) {
            System.err.println("loam: no room for another lab");
            System.exit(1);
        }
        var status = "{\"state\": \"starting\", \"pending\": [\"pod a/b: is not ready\", \"node n: has no agent\"]}";
        try (var _ = new FakeLab(new LabDirectory(file.resolveSibling("")), args[1], Map.of("/status", status))) {
            new CountDownLatch(1).await(60, TimeUnit.SECONDS); // the test ends it much earlier
        }
    }
}
