package io.loam.runtime.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.protocol.tls.Pem;
import io.loam.runtime.time.ManualTimer;
import io.loam.runtime.tunnel.TestCertificates;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard I8, how an agent learns of it.
class RootFileTest {
    private final ManualTimer timer = new ManualTimer();
    private final AtomicInteger changes = new AtomicInteger();
    private final String one = Pem.encode(new TestCertificates().root());
    private final String other = Pem.encode(new TestCertificates().root());

    @TempDir
    private Path directory;

    private Path file;

    RootFileTest() throws Exception {}

    @BeforeEach
    void watch() throws Exception {
        file = Files.writeString(directory.resolve("root-cert.pem"), one);
        new RootFile(file, timer, Runnable::run, changes::incrementAndGet).watch();
    }

    @Test
    void saysOnceThatOtherRootsStandThere() throws Exception {
        look();
        assertThat(changes).hasValue(0);
        Files.writeString(file, one + other);
        look();
        look();
        assertThat(changes).hasValue(1);
    }

    @Test
    void anotherOrderOrCommentsAreNoChange() throws Exception {
        Files.writeString(file, one + other);
        look();
        Files.writeString(file, "# roots\n" + other + one);
        look();
        assertThat(changes).hasValue(1);
    }

    @Test
    void aFileThatGoesOrBreaksAndComesBackIsNoChange() throws Exception {
        Files.delete(file);
        look();
        Files.writeString(file, one.substring(0, 100));
        look();
        Files.writeString(file, one);
        look();
        assertThat(changes).hasValue(0);
        Files.writeString(file, other);
        look();
        assertThat(changes).hasValue(1);
    }

    private void look() {
        timer.advance(RootFile.LOOK);
    }
}
