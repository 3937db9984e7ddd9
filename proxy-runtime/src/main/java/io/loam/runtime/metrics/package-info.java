/// Names, labels and registry of the metrics (wire reference, 8.1). Start at {@link
/// io.loam.runtime.metrics.TrafficMetrics}.
@NullMarked
package io.loam.runtime.metrics;

import org.jspecify.annotations.NullMarked;
