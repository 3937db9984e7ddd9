package io.loam.lab.demo;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class SummaryTest {
    @Test
    void failsAsAWholeWhenOneClaimDoesNotHold() {
        var summary = new Summary(List.of(new Finding("a", "b", true), new Finding("c", "d", false)));

        assertThat(summary.allHold()).isFalse();
        assertThat(summary.render()).contains("yes").contains("NO");
    }

    @Test
    void wrapsAtSpacesAndCutsWhatIsTooLong() {
        assertThat(Summary.wrapped("one two three", 7)).containsExactly("one two", "three");
        assertThat(Summary.wrapped("abcdefghij", 4)).containsExactly("abcd", "efgh", "ij");
    }

    @Test
    void readsTheFieldsOfAnAccessLogLine() {
        var line = "2026-01-01T00:00:00Z\terror\taccess\tconnection complete\tsrc.addr=10.0.0.1:4 "
                + "src.identity=\"spiffe://cluster.local/ns/a/sa/b\" error=\"denied by \\\"x\\\"\"";

        assertThat(AgentLog.fields(line))
                .containsEntry("src.addr", "10.0.0.1:4")
                .containsEntry("src.identity", "spiffe://cluster.local/ns/a/sa/b")
                .containsEntry("error", "denied by \\\"x\\\"");
    }
}
