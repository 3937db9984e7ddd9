/// What the training run of an agent talks to: control plane, CA and the privileged half, all in its own
/// process. Start at {@link io.loam.agent.training.StandIns}.
@NullMarked
package io.loam.agent.training;

import org.jspecify.annotations.NullMarked;
