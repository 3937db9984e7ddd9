package io.loam.cni.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ProcessCommandsTest {
    private final Commands commands = new ProcessCommands(Duration.ofSeconds(10));

    @Test
    void carriesInputAndOutput() throws Exception {
        var large = "line\n".repeat(100_000); // more than a pipe holds

        assertThat(commands.run(List.of("cat"), large)).isEqualTo(large);
    }

    @Test
    void tellsWhatTheProgramSaid() {
        assertThatThrownBy(() -> commands.run(List.of("sh", "-c", "echo no such table >&2; exit 3")))
                .isInstanceOf(CommandException.class)
                .hasMessageEndingWith("exit code 3: no such table");
    }

    @Test
    void endsAProgramThatHangs() {
        var impatient = new ProcessCommands(Duration.ofSeconds(1));

        assertThatThrownBy(() -> impatient.run(List.of("sleep", "600")))
                .hasMessage("sleep 600: still running after PT1S");
    }

    @Test
    void namesAProgramThatIsNotThere() {
        assertThatThrownBy(() -> commands.run(List.of("no-such-program")))
                .isInstanceOf(CommandException.class)
                .hasMessageContaining("no-such-program");
    }

    @Test
    void entersANamespaceByItsPath() throws Exception {
        Commands recording = (arguments, _) -> String.join(" ", arguments);

        assertThat(recording.inside(Path.of("/run/netns/a")).run(List.of("nft", "list", "ruleset")))
                .isEqualTo("nsenter --net=/run/netns/a nft list ruleset");
    }
}
