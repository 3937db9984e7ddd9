package io.loam.ca;

import org.jspecify.annotations.Nullable;

/// The stored certificates and keys cannot be used to issue. The message names the file, what is in it, and what
/// was expected.
public final class AuthorityException extends Exception {
    AuthorityException(String message) {
        super(message);
    }

    AuthorityException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
