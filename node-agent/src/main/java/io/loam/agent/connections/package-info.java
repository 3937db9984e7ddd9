/// Open connections: what is known of each, how it is reported, and who is cut when policies change. Start at
/// {@link io.loam.agent.connections.ConnectionRegistry}.
@NullMarked
package io.loam.agent.connections;

import org.jspecify.annotations.NullMarked;
