/// Moves the bytes of one application connection, both ways, until both directions ended. Start at
/// {@link io.loam.runtime.relay.Relay}.
@NullMarked
package io.loam.runtime.relay;

import org.jspecify.annotations.NullMarked;
