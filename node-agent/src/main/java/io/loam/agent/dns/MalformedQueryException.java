package io.loam.agent.dns;

/// Bytes that are no query.
final class MalformedQueryException extends Exception {
    MalformedQueryException(String message) {
        super(message, null, false, false); // a flood of these must not cost a stack trace each
    }
}
