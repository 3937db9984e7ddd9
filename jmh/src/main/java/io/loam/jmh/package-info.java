/// What the hot path costs: one benchmark for each claim, with the question and the expected answer in its
/// comment. {@link io.loam.jmh.Main} runs them, keeps the results and plots them.
@NullMarked
package io.loam.jmh;

import org.jspecify.annotations.NullMarked;
