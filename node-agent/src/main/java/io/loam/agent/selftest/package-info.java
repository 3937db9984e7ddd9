/// The agent's data path over loopback, in its own process. Start at {@link io.loam.agent.selftest.SelfTest}.
@NullMarked
package io.loam.agent.selftest;

import org.jspecify.annotations.NullMarked;
