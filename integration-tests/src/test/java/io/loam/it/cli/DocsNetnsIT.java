package io.loam.it.cli;

import static io.loam.it.cli.LoamProgram.TOP;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.RunningLab;
import io.loam.it.bench.MeshBench;
import io.loam.it.programs.Programs;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Runs the pages of `docs/` as a reader would: in a directory with `./loam` and `samples/`, from the first line to the
/// last.
///
/// Pages that start a lab of the shop with nothing special share one: where such a page starts its lab, the files
/// of the running one become those that the page made, and whatever the page before left goes. The first of them
/// starts it.
///
/// A block `console` has commands behind `$ ` and, below each, what it prints. There `…` stands for any text of a line,
/// a line of `…` alone for any lines, and spaces for any number of them. Since an edited file takes a moment to become
/// true, a command is run again until it prints what stands there, for a minute. A block `yaml NAME` is saved as
/// `shop/NAME` before the next command.
///
/// With `-Dloam.docs.record=true` nothing is compared: the pages are written to `target/docs/` as they came out.
final class DocsNetnsIT {
    private static final String SHARED_LAB = "itdocs";
    private static final String LAB_OF_A_PAGE = "itdocs-own";

    /// Counts connections since the agents have started, so nobody may use the lab before it.
    private static final String FIRST = "seeing.md";

    /// How the command ends that starts a lab which pages can share.
    private static final String UP = " && ./loam up shop";

    private static final Path DOCS = TOP.resolve("docs");
    private static final boolean RECORD = Boolean.getBoolean("loam.docs.record");
    /// More than the lab's own longest limits: 30 s for a pod's programs to end, a minute for a command.
    private static final Duration PATIENCE = Duration.ofMinutes(2);
    private static final long COMMAND_SECONDS = 120;
    private static final Pattern FENCE = Pattern.compile("(?ms)^```(\\S*)(?: ([^\\n]*))?\\n(.*?)^```$");

    /// The command as it is typed, but for the lab's name, since others may run on this machine, and for more patience
    /// with
    /// its start.
    private static final String LOAM = """
            #!/bin/sh
            command=$1
            shift
            case $command in
                up) set -- up --name @lab@ --timeout 110 "$@" ;;
                down) set -- down @lab@ "$@" ;;
                explain) set -- explain "$@" ;;
                *) set -- "$command" --lab @lab@ "$@" ;;
            esac
            exec '@java@' @flags@ -cp '@classes@' io.loam.cli.Main "$@"
            """;

    /// @param command of the reader's shell; empty for a file to be saved
    /// @param text what it prints, or what is in the file
    record Step(String command, String file, String text) {}

    static List<String> pages() throws IOException {
        try (var files = Files.list(DOCS)) {
            var pages = new ArrayList<String>();
            for (var file : files.sorted().toList()) {
                if (Files.readString(file).contains("```console")) {
                    pages.add(file.getFileName().toString());
                }
            }
            assertThat(pages.remove(FIRST)).isTrue();
            pages.addFirst(FIRST);
            return pages;
        }
    }

    @TempDir
    private static Path shared;

    @BeforeAll
    static void prepare() throws IOException {
        equip(shared, SHARED_LAB);
    }

    @AfterAll
    static void down() throws Exception {
        run("./loam down", shared);
    }

    /// What a reader has: `./loam` and `samples/`.
    private static void equip(Path directory, String lab) throws IOException {
        Files.createSymbolicLink(
                directory.resolve("samples"), TOP.resolve("samples").toAbsolutePath());
        var loam = Files.writeString(
                directory.resolve("loam"),
                LOAM.replace("@lab@", lab)
                        .replace("@java@", System.getProperty("java.home") + "/bin/java")
                        .replace("@flags@", "'" + String.join("' '", Programs.commandFlags()) + "'")
                        .replace("@classes@", Programs.classPath()));
        assertThat(loam.toFile().setExecutable(true)).isTrue();
    }

    @ParameterizedTest
    @MethodSource("pages")
    void everyCommandPrintsWhatThePageSays(String page, @TempDir Path own) throws Exception {
        var markdown = Files.readString(DOCS.resolve(page));
        var steps = steps(markdown);
        if (steps.stream().anyMatch(step -> step.command().endsWith(UP))) {
            follow(page, markdown, steps, shared);
            return;
        }
        equip(own, LAB_OF_A_PAGE);
        try {
            follow(page, markdown, steps, own);
        } finally {
            run("./loam down", own);
        }
    }

    private static void follow(String page, String markdown, List<Step> steps, Path directory) throws Exception {
        var recorded = markdown;
        for (var step : steps) {
            if (step.command().isEmpty()) {
                Files.writeString(directory.resolve("shop").resolve(step.file()), step.text());
            } else if (step.command().endsWith(UP) && sharedLab().isPresent()) {
                beginAnew(step.command().substring(0, step.command().length() - UP.length()));
            } else if (RECORD) {
                recorded = recorded.replace(
                        "$ " + step.command() + "\n" + step.text(),
                        "$ " + step.command() + "\n" + run(step.command(), directory));
            } else {
                expect(page, step, directory);
            }
        }
        if (RECORD) {
            Files.createDirectories(Path.of("target/docs"));
            Files.writeString(Path.of("target/docs", page), recorded);
        }
    }

    /// Gives the shared lab the files that this command makes in an empty directory, and no others.
    private static void beginAnew(String command) throws Exception {
        var scratch = Files.createDirectory(shared.resolve("next"));
        equip(scratch, SHARED_LAB);
        run(command, scratch);
        var shop = shared.resolve("shop");
        var fresh = scratch.resolve("shop");
        for (var old : names(shop)) {
            if (!Files.exists(fresh.resolve(old))) {
                Files.delete(shop.resolve(old));
            }
        }
        for (var name : names(fresh)) { // never half written: the lab reads it meanwhile
            Files.move(fresh.resolve(name), shop.resolve(name), StandardCopyOption.ATOMIC_MOVE);
        }
        for (var left : List.of("shop", "samples", "loam", "output", "")) {
            Files.delete(scratch.resolve(left));
        }
        var lab = sharedLab().orElseThrow();
        MeshBench.await("ready with the files of the next page", PATIENCE, () -> {
            var status = lab.status();
            assertThat(status.path("state").asText()).as("%s", status).isEqualTo("ready");
            return true;
        });
    }

    private static Optional<RunningLab> sharedLab() throws LabException {
        return LabDirectory.OF_THIS_MACHINE.running(SHARED_LAB);
    }

    private static List<String> names(Path directory) throws IOException {
        try (var files = Files.list(directory)) {
            return files.map(file -> file.getFileName().toString()).toList();
        }
    }

    private static void expect(String page, Step step, Path directory) throws IOException, InterruptedException {
        var expected = pattern(step.text());
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        var printed = run(step.command(), directory);
        while (!expected.matcher(printed).matches() && System.nanoTime() - deadline < 0) {
            printed = run(step.command(), directory);
        }
        assertThat(printed)
                .as(() -> "docs/%s: $ %s%s".formatted(page, step.command(), labLog()))
                .matches(expected);
    }

    /// The end of what the running labs logged, for whoever looks for the reason.
    private static String labLog() {
        var text = new StringBuilder();
        for (var lab : List.of(SHARED_LAB, LAB_OF_A_PAGE)) {
            var log = LabDirectory.OF_THIS_MACHINE.log(lab);
            try {
                var lines = Files.readAllLines(log);
                text.append("\nlast lines of ").append(log).append(":\n");
                lines.stream()
                        .skip(Math.max(0, lines.size() - 60))
                        .forEach(line -> text.append(line).append('\n'));
            } catch (IOException e) {
                text.append("\nno ").append(log).append(": ").append(e);
            }
        }
        return text.toString();
    }

    private static String run(String command, Path directory) throws IOException, InterruptedException {
        var output = directory.resolve("output");
        var process = new ProcessBuilder("bash", "-c", command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .redirectInput(Path.of("/dev/null").toFile())
                .start();
        if (!process.waitFor(COMMAND_SECONDS, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new AssertionError("does not end: " + command);
        }
        var printed = new String(Files.readAllBytes(output), StandardCharsets.UTF_8);
        return (printed.isEmpty() || printed.endsWith("\n") ? printed : printed + "\n")
                .replace(LAB_OF_A_PAGE, "default")
                .replace(SHARED_LAB, "default")
                .replaceAll("(?m) +$", "");
    }

    static List<Step> steps(String markdown) {
        var steps = new ArrayList<Step>();
        var blocks = FENCE.matcher(markdown);
        while (blocks.find()) {
            var kind = blocks.group(1);
            if (kind.equals("yaml") && blocks.group(2) != null) {
                steps.add(new Step("", blocks.group(2), blocks.group(3)));
            } else if (kind.equals("console")) {
                commands(blocks.group(3), steps);
            }
        }
        return steps;
    }

    private static void commands(String block, List<Step> steps) {
        for (var part : block.split("(?m)^\\$ ")) {
            if (!part.isEmpty()) {
                int end = part.indexOf('\n');
                steps.add(new Step(part.substring(0, end), "", part.substring(end + 1)));
            }
        }
    }

    static Pattern pattern(String text) {
        var pattern = new StringBuilder();
        text.lines().forEach(line -> {
            if (line.equals("…")) {
                pattern.append("(?:.*\n)*?");
                return;
            }
            for (var piece :
                    Pattern.compile("…| +|[^… ]+").matcher(line).results().toList()) {
                pattern.append(
                        switch (piece.group().charAt(0)) {
                            case '…' -> ".*";
                            case ' ' -> " +";
                            default -> Pattern.quote(piece.group());
                        });
            }
            pattern.append("\n");
        });
        return Pattern.compile(pattern.toString());
    }

    @Test
    void placeholdersStandForWhatVariesAndForNothingElse() {
        assertThat("NAME   web-17   2 ms\n").matches(pattern("NAME web-… … ms\n"));
        assertThat("NAME web-17 two\nms\n").doesNotMatch(pattern("NAME web-… … ms\n"));
        assertThat("a\nb\nc\n").matches(pattern("…\nc\n")).doesNotMatch(pattern("…\nb\n"));
        assertThat("a.c\n").doesNotMatch(pattern("abc\n"));
        assertThat("").matches(pattern("")).doesNotMatch(pattern("x\n"));
    }

    @Test
    void aPageIsFilesAndCommandsInTheirOrder() {
        assertThat(steps("""
                Text, `$ not a command`.
                ```yaml a.yaml
                kind: Namespace
                ```
                ```console
                $ ls
                a.yaml
                $ true
                ```
                ```
                $ no block of ours
                ```
                """))
                .containsExactly(
                        new Step("", "a.yaml", "kind: Namespace\n"),
                        new Step("ls", "", "a.yaml\n"),
                        new Step("true", "", ""));
    }
}
