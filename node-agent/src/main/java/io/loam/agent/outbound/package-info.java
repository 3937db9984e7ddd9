/// Connections that a pod's application opens. Start at {@link io.loam.agent.outbound.OutboundPipeline}.
@NullMarked
package io.loam.agent.outbound;

import org.jspecify.annotations.NullMarked;
