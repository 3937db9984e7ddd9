package io.loam.lab.bench.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

final class TextReportTest {
    private static final Figure THROUGHPUT = Figure.more("bulk", "throughput", "Gbit/s");
    private static final Figure CPU = Figure.less("bulk", "CPU", "s/GB");
    private static final Hold FASTER = Hold.ratio(THROUGHPUT, "haproxy", 1.3);

    private final Results results = new Results();

    @BeforeEach
    void nameCandidates() {
        results.candidate("loam", "ours");
        results.candidate("haproxy", "theirs");
    }

    @Test
    void printsMediansWithTheirRatioToTheReference() {
        results.add("loam", THROUGHPUT, 12);
        results.add("haproxy", THROUGHPUT, 8);

        assertThat(render(FASTER))
                .containsPattern("throughput, Gbit/s +12.0 \\(1.50\\) +8.00\n")
                .containsPattern("bulk, throughput +≥ 1.30× haproxy +1.50 +yes\n");
    }

    @Test
    void saysWhenAHeldNumberIsMissed() {
        results.add("loam", CPU, 1.2);
        results.add("haproxy", CPU, 1.0);

        assertThat(render(Hold.ratio(CPU, "haproxy", 0.7))).containsPattern("≤ 0.70× haproxy +1.20 +NO\n");
    }

    @Test
    void doesNotJudgeWhatIsTooNoisy() {
        results.add("loam", THROUGHPUT, 12);
        results.add("loam", THROUGHPUT, 6);
        results.add("haproxy", THROUGHPUT, 8);

        assertThat(render(FASTER)).contains("9.00 (1.13) ±67%", "too noisy to say");
    }

    @Test
    void reportsFailedRoundsWithTheirReason() {
        results.add("loam", THROUGHPUT, 12);
        results.fail("loam", THROUGHPUT, "iperf3: unable to connect");
        results.fail("haproxy", THROUGHPUT, "HAProxy ended with 1");

        assertThat(render(FASTER))
                .containsPattern("12.0 !1 +failed")
                .contains("loam, bulk: iperf3: unable to connect", "haproxy, bulk: HAProxy ended with 1")
                .containsPattern("haproxy +- +not measured");
    }

    @Test
    void namesWhoIsAbsentAndWhy() {
        results.absent("other", "LOAM_BENCH_PROXY names no other node proxy");

        assertThat(render(FASTER)).contains("other       absent: LOAM_BENCH_PROXY names no other node proxy");
    }

    @Test
    void repeatsWhatAReaderHasToKnow() {
        results.remark("1 cores: fewer than 2, these figures are no verdict");

        assertThat(render(FASTER)).contains("no verdict");
    }

    private String render(Hold hold) {
        return new TextReport(results, List.of(hold)).render();
    }
}
