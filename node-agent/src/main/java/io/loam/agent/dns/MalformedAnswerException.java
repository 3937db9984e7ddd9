package io.loam.agent.dns;

/// Bytes that are no answer to the question.
final class MalformedAnswerException extends Exception {
    MalformedAnswerException(String message) {
        super(message, null, false, false); // as MalformedQueryException
    }
}
