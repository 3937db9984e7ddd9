/// How this proxy reaches its servers: gRPC on the control loop, TLS roots and token from files that may change.
/// Start at {@link io.loam.runtime.grpc.UpstreamChannels}.
@NullMarked
package io.loam.runtime.grpc;

import org.jspecify.annotations.NullMarked;
