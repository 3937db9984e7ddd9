package io.loam.lab.bench.report;

import java.util.List;
import java.util.Locale;

/// A page that needs nothing else: one plot per figure, a bar per candidate and a dot per round, then the table as it
/// was
/// printed.
public final class HtmlReport {
    private static final int WIDTH = 460;
    private static final int NAME_WIDTH = 90;
    private static final int VALUE_WIDTH = 70;
    private static final int BAR = 22;

    private final Results results;
    private final String table;

    public HtmlReport(Results results, List<Hold> holds) {
        this.results = results;
        this.table = new TextReport(results, holds).render();
    }

    public String render() {
        var out = new StringBuilder("""
                <!doctype html>
                <html lang="en">
                <meta charset="utf-8">
                <title>loam bench</title>
                <style>
                body { font: 14px system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
                figure { display: inline-block; margin: 0 2em 1.5em 0 }
                figcaption { margin-bottom: .3em }
                rect { fill: #9ab } rect.loam { fill: #27794b } circle { fill: #000; fill-opacity: .45 }
                text { font: 12px system-ui, sans-serif } pre { overflow-x: auto }
                </style>
                <h1>loam bench</h1>
                """);
        var group = "";
        for (var figure : results.figuresByGroup()) {
            if (!figure.group().equals(group)) {
                group = figure.group();
                out.append("<h2>").append(escaped(group)).append("</h2>\n");
            }
            plot(out, figure);
        }
        out.append("<h2>Table</h2>\n<pre>").append(escaped(table)).append("</pre>\n</html>\n");
        return out.toString();
    }

    private void plot(StringBuilder out, Figure figure) {
        var names = results.candidates().keySet().stream()
                .filter(name -> results.median(name, figure).isPresent())
                .toList();
        double highest = names.stream()
                .flatMap(name -> results.find(name, figure).stream())
                .flatMap(series -> series.values().stream())
                .mapToDouble(Double::doubleValue)
                .max()
                .orElse(1);
        out.append("<figure><figcaption>%s, %s (%s is better)</figcaption>%n"
                .formatted(escaped(figure.name()), escaped(figure.unit()), figure.moreIsBetter() ? "more" : "less"));
        out.append("<svg width=\"%d\" height=\"%d\" role=\"img\">%n".formatted(WIDTH, BAR * Math.max(1, names.size())));
        for (int row = 0; row < names.size(); row++) {
            bar(out, names.get(row), figure, highest, row * BAR);
        }
        out.append("</svg></figure>\n");
    }

    private void bar(StringBuilder out, String name, Figure figure, double highest, int top) {
        double median = results.median(name, figure).orElseThrow();
        out.append("<text x=\"0\" y=\"%d\">%s</text>".formatted(top + 15, escaped(name)));
        out.append(String.format(
                Locale.ROOT,
                "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\"/>",
                escaped(name),
                NAME_WIDTH,
                top + 3,
                length(median, highest),
                BAR - 6));
        for (double value : results.find(name, figure).orElseThrow().values()) {
            out.append(String.format(
                    Locale.ROOT,
                    "<circle cx=\"%.1f\" cy=\"%d\" r=\"2.5\"/>",
                    NAME_WIDTH + length(value, highest),
                    top + BAR / 2));
        }
        out.append("<text x=\"%d\" y=\"%d\">%s</text>%n"
                .formatted(WIDTH - VALUE_WIDTH + 6, top + 15, Numbers.text(median)));
    }

    private static double length(double value, double highest) {
        return highest == 0 ? 0 : value / highest * (WIDTH - NAME_WIDTH - VALUE_WIDTH);
    }

    private static String escaped(String text) {
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
    }
}
