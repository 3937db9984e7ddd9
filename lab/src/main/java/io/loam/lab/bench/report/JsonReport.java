package io.loam.lab.bench.report;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.util.List;

/// Everything of a run, every round of it, for programs.
public final class JsonReport {
    private final ObjectMapper json = new ObjectMapper();
    private final Results results;
    private final List<Hold> holds;

    public JsonReport(Results results, List<Hold> holds) {
        this.results = results;
        this.holds = List.copyOf(holds);
    }

    public String render() {
        var root = json.createObjectNode();
        root.set("candidates", json.valueToTree(results.candidates()));
        root.set("absent", json.valueToTree(results.absent()));
        root.set("remarks", json.valueToTree(results.remarks()));
        var figures = root.putObject("figures");
        for (var candidate : results.candidates().keySet()) {
            var list = figures.putArray(candidate);
            for (var figure : results.figuresByGroup()) {
                results.find(candidate, figure).ifPresent(series -> fill(list.addObject(), figure, series));
            }
        }
        var held = root.putArray("holds");
        for (var hold : holds) {
            var node = held.addObject();
            node.put("figure", hold.figure().title()).put("hold", hold.text());
            hold.reached(results).ifPresent(reached -> node.put("reached", reached));
            node.put("verdict", hold.verdict(results).name());
        }
        try {
            return json.writerWithDefaultPrettyPrinter().writeValueAsString(root);
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree of plain values", e);
        }
    }

    private void fill(ObjectNode node, Figure figure, Series series) {
        node.put("group", figure.group()).put("name", figure.name()).put("unit", figure.unit());
        series.median().ifPresent(median -> node.put("median", median));
        node.put("spread", series.spread());
        node.set("rounds", json.valueToTree(series.values()));
        node.set("failures", json.valueToTree(series.failures()));
    }
}
