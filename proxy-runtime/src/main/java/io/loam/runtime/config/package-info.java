/// What a proxy is told by its environment, as checked records. Start at {@link
/// io.loam.runtime.config.AgentConfig}.
@NullMarked
package io.loam.runtime.config;

import org.jspecify.annotations.NullMarked;
