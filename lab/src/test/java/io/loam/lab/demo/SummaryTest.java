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
}
