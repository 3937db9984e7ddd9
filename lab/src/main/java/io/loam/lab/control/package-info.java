/// Makes what runs equal to what is written: places pods, replaces those of deployments, takes them into the mesh and
/// out of it. Start at [io.loam.lab.control.Cluster]; what it decides is [io.loam.lab.control.Planner], a pure
/// function.
@NullMarked
package io.loam.lab.control;

import org.jspecify.annotations.NullMarked;
