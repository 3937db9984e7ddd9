/// What the two servers of the control side, control plane and CA, share: a gRPC server over TLS and the bearer
/// token of a call. Start at {@link io.loam.protocol.rpc.RpcServer}.
@NullMarked
package io.loam.protocol.rpc;

import org.jspecify.annotations.NullMarked;
