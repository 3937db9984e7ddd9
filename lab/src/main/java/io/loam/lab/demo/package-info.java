/// `./loam demo`: shows the mesh at work on the shop of `samples/`, measures what it claims, and fails when a
/// claim does not hold. Start at [Demo].
@NullMarked
package io.loam.lab.demo;

import org.jspecify.annotations.NullMarked;
