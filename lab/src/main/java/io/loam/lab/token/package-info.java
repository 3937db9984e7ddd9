/// Service-account tokens of a lab, in place of an API server's: {@link io.loam.lab.token.TokenIssuer}.
@NullMarked
package io.loam.lab.token;

import org.jspecify.annotations.NullMarked;
