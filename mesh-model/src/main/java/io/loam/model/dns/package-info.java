/// Which addresses a name has for a workload that asks. Start at {@link io.loam.model.dns.NameResolver}.
@NullMarked
package io.loam.model.dns;

import org.jspecify.annotations.NullMarked;
