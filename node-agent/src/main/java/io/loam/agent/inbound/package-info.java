/// Connections to a pod, in tunnels and in plaintext. Start at {@link io.loam.agent.inbound.InboundPipeline}.
@NullMarked
package io.loam.agent.inbound;

import org.jspecify.annotations.NullMarked;
