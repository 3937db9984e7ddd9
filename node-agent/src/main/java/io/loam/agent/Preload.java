package io.loam.agent;

import io.loam.protocol.linux.Netns;
import io.netty.handler.ssl.OpenSsl;
import java.io.IOException;

/// Loads what every start needs and what takes long on threads of its own, while the first one goes on. Whoever needs
/// it before it is there waits for it, as if it had begun itself; whoever needs it after it failed meets the same error
/// and says so.
final class Preload {
    private Preload() {}

    /// The stub for calls of the C library, which the JVM generates anew in each process. Writes no log, whose level is
    /// part of the configuration and not known yet.
    static void nativeCalls() {
        start(() -> {
            try {
                Netns.current().close();
            } catch (IOException _) { // the self-check enters a namespace too
            }
        });
    }

    /// BoringSSL, which Netty writes to a file first.
    static void tls() {
        start(OpenSsl::isAvailable);
    }

    private static void start(Runnable task) {
        Thread.ofPlatform().daemon().name("loam-preload").start(task);
    }
}
