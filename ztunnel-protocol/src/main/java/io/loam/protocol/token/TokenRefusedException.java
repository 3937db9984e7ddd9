package io.loam.protocol.token;

import org.jspecify.annotations.Nullable;

/// A token that proves nothing. The message is for our own log, not for the caller, and never holds the token.
public final class TokenRefusedException extends Exception {
    TokenRefusedException(String message) {
        super(message);
    }

    TokenRefusedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
