/// What operators see of the agent. Start at {@link io.loam.agent.dump.ConfigDump}.
@NullMarked
package io.loam.agent.dump;

import org.jspecify.annotations.NullMarked;
