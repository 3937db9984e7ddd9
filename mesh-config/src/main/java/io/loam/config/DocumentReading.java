package io.loam.config;

import io.loam.config.ReadResult.Rejected;
import io.loam.config.object.MeshObject;
import io.loam.config.problem.Problem;
import io.loam.config.yaml.YamlDocument;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// What one document says by itself, whatever stands in others.
///
/// @param rejected null where nothing is missing
record DocumentReading(
        List<Problem> problems,
        @Nullable MeshObject object,
        @Nullable Rejected rejected) {
    /// In the order of the file; a `kind: List` is followed by its items.
    static List<DocumentReading> of(List<YamlDocument> documents) {
        var readings = new ArrayList<DocumentReading>();
        documents.forEach(document -> add(document, readings));
        return List.copyOf(readings);
    }

    private static void add(YamlDocument document, List<DocumentReading> readings) {
        var log = document.log();
        if (document.root() == null) {
            readings.add(new DocumentReading(List.copyOf(log.problems()), null, new Rejected(document.where(), null)));
            return;
        }
        var outcome = ObjectReader.read(document.root(), log);
        var problems = List.copyOf(log.problems());
        switch (outcome) {
            case ObjectReader.Read(var object) -> readings.add(new DocumentReading(problems, object, null));
            case ObjectReader.Refused(var key) ->
                readings.add(new DocumentReading(problems, null, new Rejected(document.where(), key)));
            case ObjectReader.Several(var items) -> {
                readings.add(new DocumentReading(
                        problems, null, log.rejected() ? new Rejected(document.where(), null) : null));
                items.forEach(item -> add(item, readings));
            }
            case ObjectReader.Skipped() -> readings.add(new DocumentReading(problems, null, null));
        }
    }
}
