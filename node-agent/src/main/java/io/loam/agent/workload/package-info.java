/// One enrolled pod from its Add to its last connection. Start at {@link io.loam.agent.workload.WorkloadProxy}.
@NullMarked
package io.loam.agent.workload;

import org.jspecify.annotations.NullMarked;
