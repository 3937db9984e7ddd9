package io.loam.runtime.admin;

/// An answer of an admin endpoint.
public record HttpReply(int status, String contentType, String body) {
    public static HttpReply text(int status, String body) {
        return new HttpReply(status, "text/plain; charset=utf-8", body);
    }

    public static HttpReply json(String body) {
        return new HttpReply(200, "application/json", body);
    }
}
