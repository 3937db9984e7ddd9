package io.loam.it.documents;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import org.junit.jupiter.api.Test;
import org.w3c.dom.Element;
import org.xml.sax.SAXException;

/// The table of `docs/hazards.md` with the figures of the run before it: `target/hazards.md`.
///
/// What a test printed as `hazard T8: FIGURE` stands in Maven's report of its class, beside whether the test passed
/// (`io.loam.it.lab.HazardFigures` says how to print it). Maven runs this as a test of its own after all others; a run
/// of some tests leaves dashes for the others.
final class HazardTable {
    private static final Path TOP = Path.of("..");
    private static final Path PAGE = TOP.resolve("docs/hazards.md");

    private static final Pattern FIGURE =
            Pattern.compile("(?m)^hazards? ([TICPL][0-9]+(?:, [TICPL][0-9]+)*): (.*\\S)\\s*$");

    /// ID, hazard and aim as they are; test and figure to be replaced.
    static final Pattern ROW = Pattern.compile("(?m)^\\| ([TICPL][0-9]+) \\|([^|]*)\\|([^|]*)\\|([^|]*)\\|([^|]*)\\|$");

    /// More lines of one test than this say the same for each of its rows.
    private static final int LINES_OF_A_TEST = 6;

    /// @param test   simple name of the class
    /// @param passed the method that printed it
    record Figure(String hazard, String test, String text, boolean passed) {}

    @Test
    void writes() throws Exception {
        var figures = new ArrayList<Figure>();
        try (var modules = Files.list(TOP)) {
            for (var module : modules.sorted().toList()) {
                for (var kind : List.of("surefire", "failsafe")) {
                    var reports = module.resolve("target").resolve(kind + "-reports");
                    if (Files.isDirectory(reports)) {
                        figures.addAll(figuresBelow(reports));
                    }
                }
            }
        }
        var table = filled(Files.readString(PAGE), figures);
        Files.createDirectories(TOP.resolve("target"));
        Files.writeString(TOP.resolve("target/hazards.md"), table);
    }

    private static List<Figure> figuresBelow(Path reports)
            throws IOException, ParserConfigurationException, SAXException {
        var figures = new ArrayList<Figure>();
        try (var files = Files.newDirectoryStream(reports, "TEST-*.xml")) {
            for (var file : files) {
                figures.addAll(figuresIn(file));
            }
        }
        return figures;
    }

    static List<Figure> figuresIn(Path report) throws IOException, ParserConfigurationException, SAXException {
        var figures = new ArrayList<Figure>();
        var parser = DocumentBuilderFactory.newDefaultInstance().newDocumentBuilder();
        var cases = parser.parse(report.toFile()).getDocumentElement().getElementsByTagName("testcase");
        for (int i = 0; i < cases.getLength(); i++) {
            var test = (Element) cases.item(i);
            var passed = test.getElementsByTagName("failure").getLength() == 0
                    && test.getElementsByTagName("error").getLength() == 0;
            var name = test.getAttribute("classname");
            var simple = name.substring(name.lastIndexOf('.') + 1).replaceAll("\\$.*", "");
            var output = test.getElementsByTagName("system-out");
            for (int j = 0; j < output.getLength(); j++) {
                var line = FIGURE.matcher(output.item(j).getTextContent());
                while (line.find()) {
                    for (var hazard : line.group(1).split(", ")) {
                        figures.add(new Figure(hazard, simple, line.group(2), passed));
                    }
                }
            }
        }
        return figures;
    }

    static String filled(String page, List<Figure> figures) {
        return ROW.matcher(page).replaceAll(row -> {
            var reached = figures.stream()
                    .filter(figure -> figure.hazard().equals(row.group(1)))
                    .toList();
            var tests = reached.stream().map(Figure::test).distinct().sorted().toList();
            var cells = "| " + row.group(1) + " |" + row.group(2) + "|" + row.group(3) + "| " + named(tests) + " | "
                    + said(tests, reached) + " |";
            return cells.replace("\\", "\\\\").replace("$", "\\$");
        });
    }

    private static String named(List<String> tests) {
        return tests.isEmpty()
                ? "–"
                : tests.stream().map(test -> "`" + test + "`").collect(Collectors.joining(", "));
    }

    private static String said(List<String> tests, List<Figure> reached) {
        var lines = new ArrayList<String>();
        for (var test : tests) {
            var own = new LinkedHashSet<String>();
            reached.stream()
                    .filter(figure -> figure.test().equals(test))
                    .forEach(figure -> own.add((figure.passed() ? "" : "FAILED: ")
                            + figure.text().replace("|", "/").replace("`", "'")));
            own.stream().limit(LINES_OF_A_TEST).forEach(lines::add);
            if (own.size() > LINES_OF_A_TEST) {
                lines.add("and " + (own.size() - LINES_OF_A_TEST) + " more of the same kind");
            }
        }
        return lines.isEmpty() ? "–" : String.join("<br>", lines);
    }
}
