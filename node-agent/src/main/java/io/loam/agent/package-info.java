/// The node agent: captures the traffic of this node's pods and carries it in tunnels. The object graph is in
/// {@link io.loam.agent.Main}.
@NullMarked
package io.loam.agent;

import org.jspecify.annotations.NullMarked;
