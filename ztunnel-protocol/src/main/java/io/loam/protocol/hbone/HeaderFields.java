package io.loam.protocol.hbone;

import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.AsciiString;
import org.jspecify.annotations.Nullable;

/// CONNECT requests and answers as header fields, both ways.
final class HeaderFields {
    private static final AsciiString CONNECT = AsciiString.cached("CONNECT");
    private static final AsciiString BAGGAGE = AsciiString.cached("baggage");
    private static final AsciiString FORWARDED = AsciiString.cached("forwarded");
    private static final AsciiString TRACEPARENT = AsciiString.cached("traceparent");
    private static final AsciiString FORWARDED_NETWORK = AsciiString.cached("x-forwarded-network");
    private static final AsciiString ISTIO_SOURCE = AsciiString.cached("x-istio-source");

    private HeaderFields() {}

    /// @return null when there is no authority
    static @Nullable ConnectRequest readRequest(Http2Headers headers) {
        var authority = headers.authority();
        if (authority == null || authority.isEmpty()) {
            return null;
        }
        return new ConnectRequest(
                authority.toString(),
                joined(headers, BAGGAGE),
                first(headers, FORWARDED),
                first(headers, TRACEPARENT),
                first(headers, FORWARDED_NETWORK),
                first(headers, ISTIO_SOURCE));
    }

    static Http2Headers request(ConnectRequest request) {
        var headers = new DefaultHttp2Headers(false).method(CONNECT).authority(request.authority());
        add(headers, BAGGAGE, request.baggage());
        add(headers, FORWARDED, request.forwarded());
        add(headers, TRACEPARENT, request.traceparent());
        add(headers, FORWARDED_NETWORK, request.forwardedNetwork());
        add(headers, ISTIO_SOURCE, request.istioSource());
        return headers;
    }

    /// Whether a field is of one connection and never of the next. In HPACK's table nothing would ever be found
    /// under it, and 20 connections would push out the baggage, which is the same for all of a workload: to
    /// enter and evict such fields was 6 % of what both ends paid to open and close a stream (RFC 7541, 6.2.3).
    ///
    /// @param name as {@link #request} writes it
    static boolean isOfOneConnection(CharSequence name) {
        return FORWARDED.contentEquals(name) || TRACEPARENT.contentEquals(name);
    }

    static Http2Headers ok(ConnectResponse response) {
        var headers = new DefaultHttp2Headers(false).status(HttpResponseStatus.OK.codeAsText());
        add(headers, BAGGAGE, response.baggage());
        return headers;
    }

    static ConnectResponse readResponse(Http2Headers headers) {
        var baggage = joined(headers, BAGGAGE);
        return baggage == null ? ConnectResponse.PLAIN : new ConnectResponse(baggage);
    }

    /// RFC 9113, 8.5: frames other than DATA and stream management on a connected stream are a stream error.
    static Http2Exception unexpected(Http2Stream stream) {
        return Http2Exception.streamError(stream.id(), Http2Error.PROTOCOL_ERROR, "HEADERS on a connected stream");
    }

    private static void add(Http2Headers headers, AsciiString name, @Nullable String value) {
        if (value != null) {
            headers.add(name, value);
        }
    }

    private static @Nullable String first(Http2Headers headers, AsciiString name) {
        var value = headers.get(name);
        return value == null ? null : value.toString();
    }

    /// Baggage may come in several fields (W3C Baggage, 3.2.1).
    private static @Nullable String joined(Http2Headers headers, AsciiString name) {
        var values = headers.getAll(name);
        return values.isEmpty() ? null : String.join(",", values);
    }
}
