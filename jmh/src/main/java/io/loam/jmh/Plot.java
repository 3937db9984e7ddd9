package io.loam.jmh;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// Draws all results as one HTML page that needs nothing else: for each benchmark a table row with the last result,
/// and the time per operation over the runs as SVG, with error bars.
final class Plot {
    private static final int WIDTH = 360;
    private static final int HEIGHT = 64;
    private static final int MARGIN = 6;

    private static final String HEAD = """
            <!doctype html>
            <html lang="en"><meta charset="utf-8"><title>Loam: cost of the hot path</title>
            <style>
            body { font: 14px/1.4 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
            table { border-collapse: collapse }
            td, th { padding: .3em .8em; border-bottom: 1px solid #ddd; text-align: left; vertical-align: middle }
            td.number { text-align: right; font-variant-numeric: tabular-nums }
            polyline { fill: none; stroke: #27c; stroke-width: 1.5 }
            line { stroke: #9bd; stroke-width: 1.5 }
            circle { fill: #27c } circle.quick { fill: #fff; stroke: #27c }
            </style>
            <h1>Cost of the hot path</h1>
            """;

    private static final String LEGEND = """
            <p>Time per operation over all runs, oldest at the left, each plot from 0 to its own highest value; bars are
            99.9 % confidence, hollow points are quick runs. Hover over a point for its commit and machine.</p>
            <table><tr><th>benchmark</th><th>last</th><th>±</th><th></th><th>heap B/op</th><th>runs</th></tr>
            """;

    private final Map<String, List<Measurement>> series = new LinkedHashMap<>();

    Plot(List<Measurement> measurements) {
        for (var measurement : measurements) {
            series.computeIfAbsent(measurement.series(), _ -> new ArrayList<>()).add(measurement);
        }
    }

    String html() {
        var page = new StringBuilder(HEAD);
        series.values().stream()
                .map(List::getLast)
                .map(last -> last.date() + ", commit " + last.commit() + ", " + last.host())
                .max(String::compareTo)
                .ifPresent(latest ->
                        page.append("<p>Latest run: ").append(escaped(latest)).append("</p>\n"));
        page.append(LEGEND);
        series.forEach((name, runs) -> row(page, name, runs));
        return page.append("</table></html>\n").toString();
    }

    private static void row(StringBuilder page, String name, List<Measurement> runs) {
        var last = runs.getLast();
        page.append("<tr><td>").append(escaped(name));
        number(page, last.score());
        number(page, last.error());
        page.append("</td><td>").append(escaped(last.unit()));
        number(page, last.bytesPerOperation());
        page.append("</td><td>");
        draw(page, runs);
        page.append("</td></tr>\n");
    }

    private static void number(StringBuilder page, double value) {
        page.append("</td><td class=\"number\">").append(String.format(Locale.ROOT, "%,.1f", value));
    }

    private static void draw(StringBuilder page, List<Measurement> runs) {
        double top = runs.stream().mapToDouble(m -> m.score() + m.error()).max().orElse(0);
        var points = new StringBuilder();
        var marks = new StringBuilder();
        for (int i = 0; i < runs.size(); i++) {
            var run = runs.get(i);
            double x = runs.size() == 1 ? WIDTH / 2.0 : MARGIN + i * (WIDTH - 2.0 * MARGIN) / (runs.size() - 1);
            points.append(String.format(Locale.ROOT, "%.1f,%.1f ", x, height(run.score(), top)));
            marks.append(String.format(
                    Locale.ROOT,
                    "<line x1=\"%1$.1f\" x2=\"%1$.1f\" y1=\"%2$.1f\" y2=\"%3$.1f\"/>",
                    x,
                    height(run.score() - run.error(), top),
                    height(run.score() + run.error(), top)));
            marks.append(String.format(
                    Locale.ROOT,
                    "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"3\"><title>%s</title></circle>",
                    run.quick() ? "quick" : "full",
                    x,
                    height(run.score(), top),
                    escaped(title(run))));
        }
        page.append(String.format(
                Locale.ROOT,
                "<svg width=\"%1$d\" height=\"%2$d\" viewBox=\"0 0 %1$d %2$d\" role=\"img\"><polyline points=\"%3$s\"/>%4$s</svg>",
                WIDTH,
                HEIGHT,
                points,
                marks));
    }

    private static double height(double value, double top) {
        double share = top == 0 ? 0 : Math.max(0, value) / top;
        return HEIGHT - MARGIN - share * (HEIGHT - 2.0 * MARGIN);
    }

    private static String title(Measurement run) {
        return String.format(
                Locale.ROOT,
                "%,.1f ± %,.1f %s, %,.1f B/op\n%s, commit %s\n%s",
                run.score(),
                run.error(),
                run.unit(),
                run.bytesPerOperation(),
                run.date(),
                run.commit(),
                run.host());
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace("\"", "&quot;");
    }
}
