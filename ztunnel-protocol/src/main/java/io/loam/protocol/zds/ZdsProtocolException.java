package io.loam.protocol.zds;

import java.io.IOException;

/// The other end broke the rules of ZDS; the session is over.
public final class ZdsProtocolException extends IOException {
    ZdsProtocolException(String message) {
        super(message);
    }

    ZdsProtocolException(String message, Throwable cause) {
        super(message, cause);
    }
}
