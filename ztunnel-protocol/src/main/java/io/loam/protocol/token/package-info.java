/// Service-account tokens: who calls the control plane or the CA. Start at
/// {@link io.loam.protocol.token.TokenVerifier}.
@NullMarked
package io.loam.protocol.token;

import org.jspecify.annotations.NullMarked;
