/// Whose bytes an agent died of (hazard P5). Start at {@link io.loam.agent.crash.CrashMarks}.
@NullMarked
package io.loam.agent.crash;

import org.jspecify.annotations.NullMarked;
