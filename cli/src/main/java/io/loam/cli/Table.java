package io.loam.cli;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Rows of JSON objects in aligned columns.
///
/// @param fields one column each; a field that a row lacks shows as `-`
record Table(List<String> fields) {
    private static final String GAP = "   ";

    Table {
        fields = List.copyOf(fields);
    }

    static Table of(String... fields) {
        return new Table(List.of(fields));
    }

    Table with(String... more) {
        return new Table(Stream.concat(fields.stream(), Stream.of(more)).toList());
    }

    String render(JsonNode rows) {
        var lines = new ArrayList<List<String>>();
        lines.add(fields.stream().map(Table::heading).toList());
        rows.forEach(row ->
                lines.add(fields.stream().map(field -> cell(row.path(field))).toList()));
        var widths = IntStream.range(0, fields.size())
                .map(column -> lines.stream()
                        .mapToInt(line -> line.get(column).length())
                        .max()
                        .orElse(0))
                .toArray();
        return lines.stream()
                .map(line -> IntStream.range(0, line.size())
                        .mapToObj(column -> pad(line.get(column), widths[column]))
                        .collect(Collectors.joining(GAP))
                        .stripTrailing())
                .collect(Collectors.joining("\n", "", "\n"));
    }

    /// `serviceAccount` → `SERVICE-ACCOUNT`
    private static String heading(String field) {
        return field.replaceAll("([a-z])([A-Z])", "$1-$2").toUpperCase(Locale.ROOT);
    }

    private static String cell(JsonNode value) {
        if (value.isArray()) {
            var parts = new ArrayList<String>();
            value.forEach(part -> parts.add(part.asText()));
            return orDash(String.join(",", parts));
        }
        if (value.isObject()) {
            return orDash(value.properties().stream()
                    .map(entry -> entry.getKey() + "=" + entry.getValue().asText())
                    .collect(Collectors.joining(",")));
        }
        if (value.isBoolean()) {
            return value.asBoolean() ? "yes" : "no";
        }
        return orDash(value.isNull() ? "" : value.asText());
    }

    private static String orDash(String text) {
        return text.isEmpty() ? "-" : text;
    }

    private static String pad(String text, int width) {
        return text + " ".repeat(width - text.length());
    }
}
