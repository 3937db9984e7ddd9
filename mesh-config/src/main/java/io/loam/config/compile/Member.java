package io.loam.config.compile;

import io.loam.config.cluster.RunningPod;
import io.loam.config.object.WorkloadEntryObject;
import java.util.Map;

/// What selectors pick: a pod that runs, or an entry that stands for a machine. One object per member,
/// compared by identity.
sealed interface Member {
    String namespace();

    Map<String, String> labels();

    Map<String, String> annotations();

    record OfPod(RunningPod pod) implements Member {
        @Override
        public String namespace() {
            return pod.namespace();
        }

        @Override
        public Map<String, String> labels() {
            return pod.pod().meta().labels();
        }

        @Override
        public Map<String, String> annotations() {
            return pod.pod().meta().annotations();
        }
    }

    /// @param labels those that selectors see
    record OfEntry(WorkloadEntryObject entry, Map<String, String> labels) implements Member {
        @Override
        public String namespace() {
            return entry.meta().namespace();
        }

        @Override
        public Map<String, String> annotations() {
            return entry.meta().annotations();
        }
    }
}
