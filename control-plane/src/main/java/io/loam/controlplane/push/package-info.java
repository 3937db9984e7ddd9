/// When a change is compiled and sent: {@link io.loam.controlplane.push.Coalescer}.
@NullMarked
package io.loam.controlplane.push;

import org.jspecify.annotations.NullMarked;
