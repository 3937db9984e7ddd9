package io.loam.lab.bench.report;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// The table on the terminal.
public final class TextReport {
    private static final int NAME_WIDTH = 36;
    private static final int HOLD_WIDTH = 53;
    private static final int CELL_WIDTH = 21;

    private final Results results;
    private final List<Hold> holds;

    public TextReport(Results results, List<Hold> holds) {
        this.results = results;
        this.holds = List.copyOf(holds);
    }

    public String render() {
        var out = new StringBuilder();
        figures(out);
        held(out);
        notes(out);
        return out.toString();
    }

    private void figures(StringBuilder out) {
        var header = new ArrayList<>(List.of("median of the rounds (× " + Results.REFERENCE + ")"));
        header.addAll(results.candidates().keySet());
        row(out, header);
        var group = "";
        for (var figure : results.figuresByGroup()) {
            if (!figure.group().equals(group)) {
                group = figure.group();
                out.append(group).append('\n');
            }
            var cells = new ArrayList<>(List.of("  " + figure.name() + ", " + figure.unit()));
            results.candidates().keySet().forEach(candidate -> cells.add(cell(candidate, figure)));
            row(out, cells);
        }
    }

    private String cell(String candidate, Figure figure) {
        var series = results.find(candidate, figure);
        if (series.isEmpty()) {
            return "-";
        }
        var median = series.get().median();
        if (median.isEmpty()) {
            return "failed";
        }
        var text = new StringBuilder(Numbers.text(median.getAsDouble()));
        var ratio = results.ratio(candidate, Results.REFERENCE, figure);
        if (ratio.isPresent() && !candidate.equals(Results.REFERENCE)) {
            text.append(" (").append("%.2f".formatted(ratio.getAsDouble())).append(')');
        }
        if (series.get().isNoisy()) {
            text.append(" ±%.0f%%".formatted(series.get().spread() * 100));
        }
        if (!series.get().failures().isEmpty()) {
            text.append(" !").append(series.get().failures().size());
        }
        return text.toString();
    }

    private void held(StringBuilder out) {
        out.append('\n');
        int width = holds.stream()
                .mapToInt(hold -> hold.figure().title().length())
                .max()
                .orElse(0);
        var line = "  %-" + Math.max(width, HOLD_WIDTH) + "s %-21s %-12s %s";
        out.append(line.formatted("numbers that loam has to hold", "hold", "reached", "holds"))
                .append('\n');
        for (var hold : holds) {
            var reached = hold.reached(results);
            var verdict = switch (hold.verdict(results)) {
                case YES -> "yes";
                case NO -> "NO";
                case NOISY -> "too noisy to say";
                case UNKNOWN -> "not measured";
            };
            out.append(line.formatted(
                                    hold.figure().title(),
                                    hold.text(),
                                    reached.isEmpty() ? "-" : Numbers.text(reached.getAsDouble()),
                                    verdict)
                            .stripTrailing())
                    .append('\n');
        }
    }

    private void notes(StringBuilder out) {
        out.append('\n');
        results.candidates().forEach((name, what) -> out.append("%-12s%s%n".formatted(name, what)));
        results.absent().forEach((name, reason) -> out.append("%-12sabsent: %s%n".formatted(name, reason)));
        if (anySeries(Series::isNoisy)) {
            out.append(
                    "±N%%         the rounds lie further apart than %.0f %% of their median: too noisy for a verdict%n"
                            .formatted(Series.NOISY * 100));
        }
        if (anySeries(series -> !series.failures().isEmpty())) {
            out.append("!N          N rounds failed and are not in the figure:\n");
            failures().forEach(line -> out.append("              ").append(line).append('\n'));
        }
        results.remarks().forEach(remark -> out.append(remark).append('\n'));
    }

    private boolean anySeries(java.util.function.Predicate<Series> predicate) {
        return results.candidates().keySet().stream()
                .anyMatch(candidate -> results.figures().stream()
                        .anyMatch(figure -> results.find(candidate, figure)
                                .filter(predicate)
                                .isPresent()));
    }

    /// One line per candidate, load and reason: the figures of one run fail together.
    private Set<String> failures() {
        var lines = new LinkedHashSet<String>();
        for (var candidate : results.candidates().keySet()) {
            for (var figure : results.figures()) {
                results.find(candidate, figure).stream()
                        .flatMap(series -> series.failures().stream())
                        .forEach(reason -> lines.add(candidate + ", " + figure.group() + ": "
                                + reason.lines().findFirst().orElse("no reason given")));
            }
        }
        return lines;
    }

    private static void row(StringBuilder out, List<String> cells) {
        var line = new StringBuilder("%-" + NAME_WIDTH + "s");
        line.append((" %-" + CELL_WIDTH + "s").repeat(cells.size() - 1));
        out.append(line.toString().formatted(cells.toArray()).stripTrailing()).append('\n');
    }
}
