/// ZDS, the protocol in which the privileged half hands pods' network namespaces to a node proxy (wire reference, 6.4).
/// Start at {@link io.loam.protocol.zds.ZdsRequest}; the two ends are {@link io.loam.protocol.zds.ZdsAgentSession} and
/// {@link io.loam.protocol.zds.ZdsProxySession}.
@NullMarked
package io.loam.protocol.zds;

import org.jspecify.annotations.NullMarked;
