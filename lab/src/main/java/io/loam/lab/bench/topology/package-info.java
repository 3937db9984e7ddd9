/// Who is compared, and the lab they stand in. Start at [io.loam.lab.bench.topology.BenchLab].
@NullMarked
package io.loam.lab.bench.topology;

import org.jspecify.annotations.NullMarked;
