/// `./loam bench`: the mesh beside other ways to carry the same bytes, on the same two nodes, in the same minutes.
/// Start
/// at [io.loam.lab.bench.Bench]; what is run and for how long is in [io.loam.lab.bench.BenchPlan].
@NullMarked
package io.loam.lab.bench;

import org.jspecify.annotations.NullMarked;
