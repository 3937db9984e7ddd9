/// Single endpoints: pods, VMs and addresses outside. Start at {@link io.loam.model.workload.Workload}.
@NullMarked
package io.loam.model.workload;

import org.jspecify.annotations.NullMarked;
