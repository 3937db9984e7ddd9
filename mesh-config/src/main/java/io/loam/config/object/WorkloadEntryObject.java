package io.loam.config.object;

import java.util.HashMap;
import java.util.Map;

/// An endpoint that is no pod, selected by its labels as pods are.
public record WorkloadEntryObject(ObjectMeta meta, WorkloadEntrySpec spec) implements MeshObject {
    /// Those of the entry win over those of the document, as in Istio.
    public Map<String, String> labels() {
        var labels = new HashMap<>(meta.labels());
        labels.putAll(spec.labels());
        return labels;
    }
}
