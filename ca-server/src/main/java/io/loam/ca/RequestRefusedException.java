package io.loam.ca;

import org.jspecify.annotations.Nullable;

/// A certificate request that is not served as it stands. The message is fit for the caller, who has proved who
/// it is by then.
public final class RequestRefusedException extends Exception {
    RequestRefusedException(String message) {
        super(message);
    }

    RequestRefusedException(String message, @Nullable Throwable cause) {
        super(message, cause);
    }
}
