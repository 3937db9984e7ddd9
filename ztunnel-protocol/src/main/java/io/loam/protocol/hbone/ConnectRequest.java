package io.loam.protocol.hbone;

import org.jspecify.annotations.Nullable;

/// What the client of a tunnel asks for with one CONNECT: a connection to `authority`, and what it says about the
/// source.
///
/// The texts are as on the wire. A server must not believe any of them before it knows that the peer may speak for
/// the source; only the authority is checked here, and only for being there.
///
/// @param authority `ip:port` (IPv6 in brackets) or `hostname:port`
/// @param baggage the source workload; several fields are joined with a comma
/// @param forwarded `for="ip:port"` and, for traffic to a service, `;host=<hostname>`
/// @param traceparent W3C trace context
/// @param forwardedNetwork `x-forwarded-network`: network of the source, when it came through a gateway
/// @param istioSource `x-istio-source`: kind of proxy that sent the request (`waypoint`, `gateway`, `sidecar`)
public record ConnectRequest(
        String authority,
        @Nullable String baggage,
        @Nullable String forwarded,
        @Nullable String traceparent,
        @Nullable String forwardedNetwork,
        @Nullable String istioSource) {

    public ConnectRequest {
        if (authority.isEmpty()) {
            throw new IllegalArgumentException("authority: empty (expected: ip:port or hostname:port)");
        }
    }

    public ConnectRequest(
            String authority, @Nullable String baggage, @Nullable String forwarded, @Nullable String traceparent) {
        this(authority, baggage, forwarded, traceparent, null, null);
    }

    /// A request that says nothing about its source.
    public static ConnectRequest to(String authority) {
        return new ConnectRequest(authority, null, null, null, null, null);
    }
}
