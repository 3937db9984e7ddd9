/// What turns a network namespace into a node: the agent's process, what brings pods to it, the kernel's balancing of
/// services. Start at [io.loam.lab.node.LabNodes].
@NullMarked
package io.loam.lab.node;

import org.jspecify.annotations.NullMarked;
