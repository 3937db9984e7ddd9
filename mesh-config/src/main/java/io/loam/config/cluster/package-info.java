/// What exists right now: documents plus the pods that run. Start at {@link io.loam.config.cluster.ClusterState}.
@NullMarked
package io.loam.config.cluster;

import org.jspecify.annotations.NullMarked;
