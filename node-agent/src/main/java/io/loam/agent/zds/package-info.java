/// How the privileged half hands over pods. Start at {@link io.loam.agent.zds.ZdsClient}.
@NullMarked
package io.loam.agent.zds;

import org.jspecify.annotations.NullMarked;
