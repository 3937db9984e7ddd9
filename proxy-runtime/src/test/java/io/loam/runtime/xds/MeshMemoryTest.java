package io.loam.runtime.xds;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.mesh.MeshSnapshot;
import io.loam.runtime.time.ManualTimer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard P6: what is left to a successor, how often it is written, and as of when.
class MeshMemoryTest {
    private static final Duration AGE = Duration.ofHours(1);

    @TempDir
    private Path folder = Path.of("");

    private final ManualTimer timer = new ManualTimer();
    private int writes;
    private MeshMemory memory;
    private MeshFile file;

    @BeforeEach
    void open() {
        file = new MeshFile(folder, "cp", AGE, Set.of());
        memory = new MeshMemory(file, timer, task -> {
            writes++;
            task.run();
        });
    }

    private Instant asOf() throws Exception {
        return file.read(timer.now()).orElseThrow().asOf();
    }

    @Test
    void manyChangesAreOneWriteEveryTwoSeconds() throws Exception {
        for (int i = 1; i <= 40; i++) {
            memory.inStep(MeshFileTest.mesh(i));
            timer.advance(Duration.ofMillis(100));
        }
        assertThat(writes).isBetween(1, 2); // fewer if a write takes long here
        timer.advance(Duration.ofMinutes(1));
        assertThat(file.read(timer.now()).orElseThrow().mesh().workloads()).hasSize(40);
        assertThat(writes).isLessThanOrEqualTo(3);
    }

    /// Its age counts from the last moment at which it was true.
    @Test
    void aMeshThatDoesNotChangeStaysYoung() throws Exception {
        memory.inStep(MeshFileTest.mesh(1));
        timer.advance(Duration.ofHours(3));
        assertThat(asOf()).isAfter(timer.now().minus(MeshMemory.REFRESH).minusSeconds(3));
        assertThat(writes).isBetween(18, 19);
        memory.outOfStep();
        var lost = timer.now();
        timer.advance(Duration.ofMinutes(59));
        assertThat(asOf()).isEqualTo(lost);
        timer.advance(Duration.ofMinutes(2));
        assertThat(memory.read()).isEmpty();
    }

    @Test
    void whatCameJustBeforeTheControlPlaneWasLostIsWritten() throws Exception {
        memory.inStep(MeshFileTest.mesh(1));
        timer.advance(Duration.ofMillis(500));
        memory.outOfStep();
        var lost = timer.now();
        timer.advance(Duration.ofSeconds(10));
        assertThat(asOf()).isEqualTo(lost);
    }

    /// Nobody may take the mesh of a predecessor for one that the control plane has confirmed.
    @Test
    void nothingIsWrittenBeforeTheControlPlaneHasSaidEverything() {
        memory.outOfStep();
        timer.advance(Duration.ofHours(1));
        assertThat(writes).isZero();
        assertThat(file.path()).doesNotExist();
    }

    @Test
    void whatCannotBeWrittenIsTriedAgainWithTheNextChange() throws Exception {
        Files.createDirectory(file.path());
        Files.createFile(file.path().resolve("in-the-way"));
        memory.inStep(MeshFileTest.mesh(1));
        timer.advance(Duration.ofSeconds(5));
        assertThat(writes).isEqualTo(1);
        Files.delete(file.path().resolve("in-the-way"));
        Files.delete(file.path());

        memory.inStep(MeshFileTest.mesh(2));
        timer.advance(Duration.ofSeconds(5));

        assertThat(file.read(timer.now()).orElseThrow().mesh().workloads()).hasSize(2);
    }

    @Test
    void whatCannotBeUsedIsAsNothing() throws Exception {
        Files.writeString(file.path(), "rubbish");
        assertThat(memory.read()).isEmpty();
        Files.delete(file.path());
        assertThat(memory.read()).isEmpty();
    }

    @Test
    void withoutADirectoryNothingIsDone() {
        var none = new MeshMemory(null, timer, task -> {
            throw new AssertionError("nothing to run");
        });
        none.inStep(MeshSnapshot.EMPTY);
        none.outOfStep();
        timer.advance(Duration.ofHours(1));
        assertThat(none.read()).isEmpty();
    }
}
