/// Why connections fail, in one word each. Start at {@link io.loam.model.failure.ErrorCode}.
@NullMarked
package io.loam.model.failure;

import org.jspecify.annotations.NullMarked;
