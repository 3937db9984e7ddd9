package io.loam.config.yaml;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.problem.Problem;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;

class YamlTextTest {
    @Test
    void leavesOutDocumentsThatSayNothing() {
        assertThat(documents("# a comment\n---\n\n---\n# another\n---\nnull\n...\n"))
                .isEmpty();
    }

    @Test
    void countsLinesThroughAllDocuments() {
        var documents = documents("a: 1\n---\n\n# comment\nb: 2\n--- # three\nc: 3\n...\n---\n{d: 4}\n");

        assertThat(documents).extracting(document -> document.where().line()).containsExactly(1, 5, 7, 10);
    }

    @Test
    void keepsDirectivesWithTheirDocument() {
        var documents = documents("%YAML 1.2\n---\na: 1\n---\nb: 2\n");

        assertThat(documents)
                .hasSize(2)
                .allSatisfy(document -> assertThat(document.root()).isNotNull());
    }

    @Test
    void readsWindowsLinesAndAByteOrderMark() {
        var documents = documents("\uFEFFa: 1\r\n---\r\nb: 2\r\n");

        assertThat(documents).extracting(document -> document.where().line()).containsExactly(1, 3);
        assertThat(documents).allSatisfy(document -> assertThat(document.root()).isNotNull());
    }

    @Test
    void aLineOfDashesInsideAnIndentedBlockIsNoMarker() {
        var documents = documents("a: |\n  ---\n  text\n");

        assertThat(documents)
                .singleElement()
                .satisfies(document -> assertThat(root(document).text("a", "")).isEqualTo("---\ntext\n"));
    }

    @Test
    void refusesAliasesThatMultiply() {
        var text = new StringBuilder("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for (int i = 1; i < 12; i++) {
            text.append("a").append(i).append(": &a").append(i).append(" [");
            text.append(("*a" + (i - 1) + ", ").repeat(9))
                    .append("*a")
                    .append(i - 1)
                    .append("]\n");
        }

        assertThat(problems(text.toString()))
                .singleElement()
                .asString()
                .startsWith("x.yaml:1: aliases that make ")
                .endsWith("(expected: aliases that repeat less)");
    }

    @Test
    void refusesAnAliasThatContainsItself() {
        assertThat(problems("a: &a\n  b: *a\n"))
                .containsExactly("x.yaml:1: an alias that contains itself (expected: aliases that repeat less)");
    }

    @Test
    void refusesNestingThatNoReaderNeeds() {
        assertThat(problems("a: " + "[".repeat(100_000)))
                .containsExactly("x.yaml:1:103: nested deeper than 100 (expected: at most 100 levels)");
    }

    @Test
    void namesACharacterThatYamlForbids() {
        assertThat(problems("a: 1\nb: x\u0001y\n"))
                .containsExactly(
                        "x.yaml:2:5: b: x\\u0001y (expected: valid YAML); character U+0001 is not allowed in YAML");
    }

    @Test
    void distanceCountsASwapAsOne() {
        assertThat(Words.distance("comamnd", "command")).isEqualTo(1);
        assertThat(Words.distance("", "abc")).isEqualTo(3);
        assertThat(Words.distance("kitten", "sitting")).isEqualTo(3);
    }

    private static List<YamlDocument> documents(String text) {
        return YamlText.documents(text, Path.of("x.yaml"));
    }

    private static YamlMapping root(YamlDocument document) {
        return Objects.requireNonNull(document.root());
    }

    private static List<String> problems(String text) {
        return documents(text).stream()
                .flatMap(document -> document.log().problems().stream())
                .map(Problem::toString)
                .toList();
    }
}
