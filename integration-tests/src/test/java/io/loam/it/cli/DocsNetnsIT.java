package io.loam.it.cli;

import static io.loam.it.cli.LoamProgram.TOP;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Runs the pages of `docs/` as a reader would: each in a directory of its own with `./loam` and `samples/`, from the
/// first line to the last.
///
/// A block `console` has commands behind `$ ` and, below each, what it prints. There `…` stands for any text of a line,
/// a line of `…` alone for any lines, and spaces for any number of them. Since an edited file takes a moment to become
/// true, a command is run again until it prints what stands there, for half a minute. A block `yaml NAME` is saved as
/// `shop/NAME` before the next command.
///
/// With `-Dloam.docs.record=true` nothing is compared: the pages are written to `target/docs/` as they came out.
final class DocsNetnsIT {
    private static final String LAB = "itdocs";
    private static final Path DOCS = TOP.resolve("docs");
    private static final boolean RECORD = Boolean.getBoolean("loam.docs.record");
    private static final Duration PATIENCE = Duration.ofSeconds(30);
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
            exec '@java@' -XX:+UseSerialGC -XX:TieredStopAtLevel=1 --enable-native-access=ALL-UNNAMED \\
                --sun-misc-unsafe-memory-access=allow -cp '@classes@' io.loam.cli.Main "$@"
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
            return pages;
        }
    }

    @ParameterizedTest
    @MethodSource("pages")
    void everyCommandPrintsWhatThePageSays(String page, @TempDir Path directory) throws Exception {
        Files.createSymbolicLink(
                directory.resolve("samples"), TOP.resolve("samples").toAbsolutePath());
        var loam = Files.writeString(
                directory.resolve("loam"),
                LOAM.replace("@lab@", LAB)
                        .replace("@java@", System.getProperty("java.home") + "/bin/java")
                        .replace("@classes@", System.getProperty("java.class.path")));
        assertThat(loam.toFile().setExecutable(true)).isTrue();
        var markdown = Files.readString(DOCS.resolve(page));
        try {
            for (var step : steps(markdown)) {
                if (step.command().isEmpty()) {
                    Files.writeString(directory.resolve("shop").resolve(step.file()), step.text());
                } else if (RECORD) {
                    markdown = markdown.replace(
                            "$ " + step.command() + "\n" + step.text(),
                            "$ " + step.command() + "\n" + run(step.command(), directory));
                } else {
                    expect(page, step, directory);
                }
            }
        } finally {
            run("./loam down", directory);
        }
        if (RECORD) {
            Files.createDirectories(Path.of("target/docs"));
            Files.writeString(Path.of("target/docs", page), markdown);
        }
    }

    private static void expect(String page, Step step, Path directory) throws IOException, InterruptedException {
        var expected = pattern(step.text());
        long deadline = System.nanoTime() + PATIENCE.toNanos();
        var printed = run(step.command(), directory);
        while (!expected.matcher(printed).matches() && System.nanoTime() - deadline < 0) {
            printed = run(step.command(), directory);
        }
        assertThat(printed).as("docs/%s: $ %s", page, step.command()).matches(expected);
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
                .replace(LAB, "default")
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
