/// Mutual TLS between workloads: certificates, the request for one, and the two ends of a tunnel's handshake.
/// Start at {@link io.loam.protocol.tls.MeshTls}.
@NullMarked
package io.loam.protocol.tls;

import org.jspecify.annotations.NullMarked;
