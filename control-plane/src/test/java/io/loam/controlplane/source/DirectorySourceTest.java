package io.loam.controlplane.source;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.config.object.ObjectKey;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DirectorySourceTest {
    private static final Duration DEADLINE = Duration.ofSeconds(10);

    @TempDir
    Path directory;

    private final BlockingQueue<SourceState> states = new LinkedBlockingQueue<>();

    @Test
    void followsFilesThatComeChangeAndGo() throws Exception {
        write("a.yaml", namespace("a"));
        try (var source = DirectorySource.start(List.of(directory), states::add)) {
            assertThat(names(source.current())).containsExactly("a");

            write("b.yaml", namespace("b"));
            await(state -> names(state).equals(List.of("a", "b")));

            write("b.yaml", namespace("renamed"));
            await(state -> names(state).equals(List.of("a", "renamed")));

            Files.delete(directory.resolve("b.yaml"));
            await(state -> names(state).equals(List.of("a")));
        }
    }

    @Test
    void keepsTheLastGoodVersionOfADocumentThatBecameUnreadable() throws Exception {
        write("a.yaml", namespace("a"));
        write("b.yaml", namespace("b"));
        try (var _ = DirectorySource.start(List.of(directory), states::add)) {
            write("b.yaml", "kind: [broken");

            var state = await(changed -> !changed.problems().isEmpty());

            assertThat(names(state)).containsExactlyInAnyOrder("a", "b");
            assertThat(state.problems().getFirst().where().file()).isEqualTo(directory.resolve("b.yaml"));

            Files.delete(directory.resolve("b.yaml"));
            assertThat(names(await(changed -> changed.problems().isEmpty()))).containsExactly("a");
        }
    }

    /// Hazard P9: what never comes to rest is read in between, by its notifications. Without them there would be
    /// three readings in this time, one per look at everything.
    @Test
    void readsAFileThatChangesAllTheTimeInBetween() throws Exception {
        write("a.yaml", namespace("a0"));
        try (var _ = DirectorySource.start(List.of(directory), states::add)) {
            long end = System.nanoTime() + 3 * DirectorySource.RESCAN.toNanos();
            for (int i = 1; states.size() < 4 && System.nanoTime() - end < 0; i++) {
                write("a.yaml", namespace("a" + i));
                TimeUnit.MILLISECONDS.sleep(5);
            }

            assertThat(states).hasSizeGreaterThanOrEqualTo(4);
        }
    }

    @Test
    void seesDirectoriesThatAreMadeLater() throws Exception {
        try (var _ = DirectorySource.start(List.of(directory), states::add)) {
            Files.createDirectories(directory.resolve("x/y"));
            write("x/y/a.yaml", namespace("a"));

            await(state -> names(state).equals(List.of("a")));
        }
    }

    @Test
    void seesAFileThatIsReplacedByARename() throws Exception {
        write("a.yaml", namespace("a"));
        write("other", namespace("z"));
        try (var _ = DirectorySource.start(List.of(directory.resolve("a.yaml")), states::add)) {
            Files.move(directory.resolve("other"), directory.resolve("a.yaml"), StandardCopyOption.REPLACE_EXISTING);

            await(state -> names(state).equals(List.of("z")));
        }
    }

    @Test
    void saysThatAPathDoesNotExist() {
        assertThatThrownBy(() -> DirectorySource.start(List.of(directory.resolve("none")), states::add))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("none: does not exist (expected: a file or a directory of YAML files)");
    }

    private SourceState await(Predicate<SourceState> condition) throws InterruptedException {
        long end = System.nanoTime() + DEADLINE.toNanos();
        SourceState last = SourceState.EMPTY;
        while (System.nanoTime() < end) {
            var state = states.poll(end - System.nanoTime(), TimeUnit.NANOSECONDS);
            if (state != null) {
                last = state;
                if (condition.test(state)) {
                    return state;
                }
            }
        }
        throw new AssertionError("not within " + DEADLINE + "; last state: " + last);
    }

    private void write(String file, String text) throws IOException {
        Files.writeString(directory.resolve(file), text);
    }

    private static String namespace(String name) {
        return """
                apiVersion: v1
                kind: Namespace
                metadata:
                  name: %s
                """.formatted(name);
    }

    private static List<String> names(SourceState state) {
        return state.objects().stream()
                .map(object -> object.key())
                .map(ObjectKey::name)
                .toList();
    }
}
