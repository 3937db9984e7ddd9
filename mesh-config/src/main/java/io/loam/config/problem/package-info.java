/// What is wrong with what a user wrote, and where. Start at {@link io.loam.config.problem.Problem}.
@NullMarked
package io.loam.config.problem;

import org.jspecify.annotations.NullMarked;
