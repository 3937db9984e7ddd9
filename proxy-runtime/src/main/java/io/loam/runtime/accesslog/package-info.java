/// One line per finished connection (wire reference, 8.2). Start at {@link io.loam.runtime.accesslog.AccessLog}.
@NullMarked
package io.loam.runtime.accesslog;

import org.jspecify.annotations.NullMarked;
