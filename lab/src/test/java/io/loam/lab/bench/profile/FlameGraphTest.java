package io.loam.lab.bench.profile;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

final class FlameGraphTest {
    @Test
    void drawsEachCallAsWideAsItsShareAndBesideItsSiblings() {
        var stacks = new StackTree();
        stacks.add(List.of("loop", "read"));
        stacks.add(List.of("loop", "write"));
        stacks.add(List.of("loop", "write"));
        stacks.add(List.of("timer"));

        var page = FlameGraph.render("loam, bulk", stacks);

        assertThat(page)
                .contains("left:0.0000%;width:75.0000%;top:18px\" title=\"loop: 75.00 %\"")
                .contains("left:0.0000%;width:25.0000%;top:0px\" title=\"read: 25.00 %\"")
                .contains("left:25.0000%;width:50.0000%;top:0px\" title=\"write: 50.00 %\"")
                .contains("left:75.0000%;width:25.0000%;top:18px\" title=\"timer: 25.00 %\"")
                .contains("4 samples");
    }

    @Test
    void showsNamesOfProgramsAsText() {
        var stacks = new StackTree();
        stacks.add(List.of("<init>\" onload=\"x"));

        assertThat(FlameGraph.render("a & b", stacks))
                .contains("&lt;init&gt;&quot; onload=&quot;x", "a &amp; b")
                .doesNotContain("<init>");
    }
}
