/// The threads that move bytes. Start at {@link io.loam.runtime.loops.EventLoops}.
@NullMarked
package io.loam.runtime.loops;

import org.jspecify.annotations.NullMarked;
