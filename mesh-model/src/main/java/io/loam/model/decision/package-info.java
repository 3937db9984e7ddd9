/// Pure decisions over a snapshot: where an outbound connection goes, what an inbound one may reach. Proxy,
/// analyzer and `loam why` call the same functions. Start at `OutboundRouter`.
@NullMarked
package io.loam.model.decision;

import org.jspecify.annotations.NullMarked;
