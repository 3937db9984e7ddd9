/// Who a workload is: start at {@link io.loam.model.identity.SpiffeId}.
@NullMarked
package io.loam.model.identity;

import org.jspecify.annotations.NullMarked;
