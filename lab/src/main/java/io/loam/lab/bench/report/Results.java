package io.loam.lab.bench.report;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedSet;

/// Everything a run measured. Not safe for several threads.
public final class Results {
    /// The one everybody is compared with.
    public static final String REFERENCE = "haproxy";

    private final Map<String, String> candidates = new LinkedHashMap<>();
    private final Map<String, String> absent = new LinkedHashMap<>();
    private final SequencedSet<Figure> figures = new LinkedHashSet<>();
    private final Map<String, Map<Figure, Series>> series = new LinkedHashMap<>();
    private final List<String> remarks = new ArrayList<>();

    /// @param what it is, in one sentence
    public void candidate(String name, String what) {
        candidates.put(name, what);
    }

    public void absent(String name, String reason) {
        absent.put(name, reason);
    }

    /// Something a reader of the figures has to know.
    public void remark(String text) {
        remarks.add(text);
    }

    public void add(String candidate, Figure figure, double value) {
        series(candidate, figure).add(value);
    }

    public void fail(String candidate, Figure figure, String reason) {
        series(candidate, figure).fail(reason);
    }

    private Series series(String candidate, Figure figure) {
        figures.add(figure);
        return series.computeIfAbsent(candidate, _ -> new LinkedHashMap<>()).computeIfAbsent(figure, _ -> new Series());
    }

    /// Name → what it is.
    public Map<String, String> candidates() {
        return candidates;
    }

    /// Name → why it is not there.
    public Map<String, String> absent() {
        return absent;
    }

    public SequencedSet<Figure> figures() {
        return figures;
    }

    /// In the order in which groups appeared first; the proxies' CPU is asked of fewer candidates and so comes late.
    public List<Figure> figuresByGroup() {
        var groups = new LinkedHashMap<String, List<Figure>>();
        figures.forEach(figure ->
                groups.computeIfAbsent(figure.group(), _ -> new ArrayList<>()).add(figure));
        return groups.values().stream().flatMap(List::stream).toList();
    }

    public List<String> remarks() {
        return remarks;
    }

    /// Empty where the figure was not asked of the candidate.
    public Optional<Series> find(String candidate, Figure figure) {
        return Optional.ofNullable(series.getOrDefault(candidate, Map.of()).get(figure));
    }

    public OptionalDouble median(String candidate, Figure figure) {
        return find(candidate, figure).map(Series::median).orElse(OptionalDouble.empty());
    }

    /// Of the medians.
    public OptionalDouble ratio(String candidate, String against, Figure figure) {
        var own = median(candidate, figure);
        var other = median(against, figure);
        return own.isEmpty() || other.isEmpty() || other.getAsDouble() == 0
                ? OptionalDouble.empty()
                : OptionalDouble.of(own.getAsDouble() / other.getAsDouble());
    }
}
