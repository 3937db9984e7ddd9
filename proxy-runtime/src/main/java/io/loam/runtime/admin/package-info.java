/// HTTP for operators: dump, log levels, metrics, readiness. Start at {@link io.loam.runtime.admin.HttpEndpoint}.
@NullMarked
package io.loam.runtime.admin;

import org.jspecify.annotations.NullMarked;
