package io.loam.it.documents;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.documents.HazardTable.Figure;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// `docs/hazards.md` has a row for every hazard, and claims only tests that are there and name the hazard.
final class HazardsTest {
    private static final Path TOP = Path.of("..");

    /// IDs in the text of a test: in what it prints or passes to HazardFigures.
    private static final Pattern NAMED = Pattern.compile("[TICP][1-9][0-9]?");

    private static final Pattern PRINTED = Pattern.compile("\"hazards? ([^\":]+):|reached\\(\\s*\"([^\"]+)\"");

    private static String page;
    private static Map<String, String> tests;

    @BeforeAll
    static void read() throws IOException {
        page = Files.readString(TOP.resolve("docs/hazards.md"));
        tests = new HashMap<>();
        try (var tree = Files.walk(TOP)) {
            for (var file : tree.filter(path -> path.toString().contains("/src/test/java/"))
                    .filter(path -> path.toString().endsWith(".java"))
                    .toList()) {
                // two tests in different packages may have the same name
                tests.merge(file.getFileName().toString().replace(".java", ""), Files.readString(file), String::concat);
            }
        }
    }

    @Test
    void everyHazardHasARow() {
        var expected = Stream.of(ids("T", 18), ids("I", 22), ids("C", 11), ids("P", 17))
                .flatMap(List::stream)
                .toList();
        assertThat(rows().stream().map(row -> row.getFirst())).containsExactlyElementsOf(expected);
    }

    private static List<String> ids(String letter, int last) {
        return IntStream.rangeClosed(1, last).mapToObj(n -> letter + n).toList();
    }

    @Test
    void namesOnlyTestsThatAreThereAndNameTheHazard() {
        var wrong = new ArrayList<String>();
        for (var row : rows()) {
            var named = row.get(1).equals("–") ? new String[0] : row.get(1).split(", ");
            for (var test : named) {
                var source = tests.get(test.replace("`", ""));
                if (source == null
                        || NAMED.matcher(source)
                                .results()
                                .noneMatch(id -> id.group().equals(row.getFirst()))) {
                    wrong.add(row.getFirst() + ": " + test);
                }
            }
            if ((named.length == 0) != row.get(2).equals("–")) {
                wrong.add(row.getFirst() + ": a figure without a test, or the other way round");
            }
        }
        assertThat(wrong).isEmpty();
    }

    /// A figure for an ID that the table does not have would be lost.
    @Test
    void testsPrintOnlyIdsOfTheTable() {
        var known = rows().stream().map(row -> row.getFirst()).toList();
        var unknown = new ArrayList<String>();
        tests.forEach((name, source) -> PRINTED.matcher(source)
                .results()
                .map(printed -> printed.group(1) == null ? printed.group(2) : printed.group(1))
                .flatMap(ids -> Stream.of(ids.split(", ")))
                .filter(id -> NAMED.matcher(id).matches() && !known.contains(id))
                .forEach(id -> unknown.add(name + ": " + id)));
        assertThat(unknown).isEmpty();
        assertThat(tests.values()).anyMatch(source -> PRINTED.matcher(source).find());
    }

    @Test
    void figuresAreReadFromMavensReports(@TempDir Path directory) throws Exception {
        var report = Files.writeString(directory.resolve("TEST-io.loam.FooTest.xml"), """
                <?xml version="1.0" encoding="UTF-8"?>
                <testsuite name="io.loam.FooTest">
                  <testcase name="one" classname="io.loam.FooTest"><system-out><![CDATA[noise
                hazards T1, T2: 3 of 4 | closed
                no hazard T3: neither
                ]]></system-out></testcase>
                  <testcase name="two" classname="io.loam.FooTest$Inner"><failure message="no"/>
                    <system-out><![CDATA[hazard T2: 5 $1 lost
                ]]></system-out></testcase>
                  <testcase name="three" classname="io.loam.FooTest"/>
                </testsuite>
                """);

        var figures = HazardTable.figuresIn(report);

        assertThat(figures)
                .containsExactly(
                        new Figure("T1", "FooTest", "3 of 4 | closed", true),
                        new Figure("T2", "FooTest", "3 of 4 | closed", true),
                        new Figure("T2", "FooTest", "5 $1 lost", false));
        assertThat(HazardTable.filled("""
                | T2 | resets | 0 lost | `OldTest` | 9 |
                | T3 | x | y | – | – |
                """, figures)).isEqualTo("""
                | T2 | resets | 0 lost | `FooTest` | 3 of 4 / closed<br>FAILED: 5 $1 lost |
                | T3 | x | y | – | – |
                """);
    }

    /// ID, tests, figure.
    private static List<List<String>> rows() {
        return HazardTable.ROW
                .matcher(page)
                .results()
                .map(row ->
                        List.of(row.group(1), row.group(4).strip(), row.group(5).strip()))
                .toList();
    }
}
