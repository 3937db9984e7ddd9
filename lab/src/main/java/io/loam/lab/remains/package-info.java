/// What a lab leaves on the machine, found by its names and its directory alone, so that it can be cleared away after
/// any of its processes was killed. Start at [io.loam.lab.remains.LabRemains].
@NullMarked
package io.loam.lab.remains;

import org.jspecify.annotations.NullMarked;
