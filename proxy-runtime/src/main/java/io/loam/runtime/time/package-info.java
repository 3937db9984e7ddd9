/// The clock and its timers, so that tests move time by hand. Start at {@link io.loam.runtime.time.Timer}.
@NullMarked
package io.loam.runtime.time;

import org.jspecify.annotations.NullMarked;
