package io.loam.config.cluster;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/// Finds what carries given labels without looking at everything: by the rarest label of the selector.
public final class LabelIndex<T> {
    private final Map<String, Map<Map.Entry<String, String>, List<T>>> byNamespace = new HashMap<>();
    private final Function<T, Map<String, String>> labels;

    private LabelIndex(Function<T, Map<String, String>> labels) {
        this.labels = labels;
    }

    public static <T> LabelIndex<T> of(
            List<T> items, Function<T, String> namespace, Function<T, Map<String, String>> labels) {
        var index = new LabelIndex<T>(labels);
        for (var item : items) {
            var byLabel = index.byNamespace.computeIfAbsent(namespace.apply(item), _ -> new HashMap<>());
            for (var label : labels.apply(item).entrySet()) {
                byLabel.computeIfAbsent(Map.entry(label.getKey(), label.getValue()), _ -> new ArrayList<>())
                        .add(item);
            }
        }
        return index;
    }

    /// In the order they were indexed; an empty selector selects nothing.
    public List<T> select(String namespace, Map<String, String> selector) {
        var byLabel = byNamespace.get(namespace);
        if (byLabel == null || selector.isEmpty()) {
            return List.of();
        }
        List<T> rarest = null;
        for (var label : selector.entrySet()) {
            var carriers = byLabel.getOrDefault(Map.entry(label.getKey(), label.getValue()), List.of());
            if (rarest == null || carriers.size() < rarest.size()) {
                rarest = carriers;
            }
        }
        return rarest == null
                ? List.of()
                : rarest.stream()
                        .filter(item -> labels.apply(item).entrySet().containsAll(selector.entrySet()))
                        .toList();
    }

    /// As {@link #select}, in all namespaces.
    public List<T> selectEverywhere(Map<String, String> selector) {
        return byNamespace.keySet().stream()
                .sorted()
                .flatMap(namespace -> select(namespace, selector).stream())
                .toList();
    }
}
