/// Problems that only show when documents are seen together. Start at {@link io.loam.config.check.MeshChecks}.
@NullMarked
package io.loam.config.check;

import org.jspecify.annotations.NullMarked;
