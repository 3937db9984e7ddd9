package io.loam.lab.demo;

import java.util.ArrayList;
import java.util.List;

/// The table at the end of the demo.
///
/// @param findings in the order of the steps
record Summary(List<Finding> findings) {
    private static final int CLAIM_WIDTH = 40;
    private static final int MEASURED_WIDTH = 66;

    Summary {
        findings = List.copyOf(findings);
    }

    boolean allHold() {
        return failed().isEmpty();
    }

    List<Finding> failed() {
        return findings.stream().filter(finding -> !finding.holds()).toList();
    }

    String render() {
        var out = new StringBuilder();
        row(out, "", "claim", "measured", "holds");
        row(out, "", "-".repeat(CLAIM_WIDTH), "-".repeat(MEASURED_WIDTH), "-----");
        for (var i = 0; i < findings.size(); i++) {
            var finding = findings.get(i);
            var claim = wrapped(finding.claim(), CLAIM_WIDTH);
            var measured = wrapped(finding.measured(), MEASURED_WIDTH);
            for (var line = 0; line < Math.max(claim.size(), measured.size()); line++) {
                row(
                        out,
                        line == 0 ? Integer.toString(i + 1) : "",
                        line < claim.size() ? claim.get(line) : "",
                        line < measured.size() ? measured.get(line) : "",
                        line == 0 ? finding.verdict() : "");
            }
        }
        return out.toString();
    }

    private static void row(StringBuilder out, String number, String claim, String measured, String holds) {
        var line = " %2s  %-" + CLAIM_WIDTH + "s  %-" + MEASURED_WIDTH + "s  %s";
        out.append(line.formatted(number, claim, measured, holds).stripTrailing())
                .append('\n');
    }

    /// At spaces; a word longer than a line is cut.
    static List<String> wrapped(String text, int width) {
        var lines = new ArrayList<String>();
        var rest = text.strip();
        while (rest.length() > width) {
            var space = rest.lastIndexOf(' ', width);
            var cut = space > 0 ? space : width;
            lines.add(rest.substring(0, cut).stripTrailing());
            rest = rest.substring(cut).strip();
        }
        lines.add(rest);
        return lines;
    }
}
