/// Load on a lab from inside its pods, for the demo and for tests that disturb a lab meanwhile. Start at
/// {@link io.loam.lab.load.OpenLoopLoad}.
@NullMarked
package io.loam.lab.load;

import org.jspecify.annotations.NullMarked;
