/// The header fields of a CONNECT request (wire reference, 2.2). Start at {@link io.loam.protocol.header.Baggage}.
@NullMarked
package io.loam.protocol.header;

import org.jspecify.annotations.NullMarked;
