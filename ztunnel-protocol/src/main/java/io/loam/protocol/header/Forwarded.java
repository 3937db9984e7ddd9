package io.loam.protocol.header;

import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// The `forwarded` field of a CONNECT request (RFC 7239, section 4): on whose behalf, and which service it asked for.
///
/// @param source address and port the application connected from
/// @param host service host name; null where the traffic was not for a service
public record Forwarded(String source, @Nullable String host) {
    public static final String HEADER = "forwarded";

    private static final int MAX_HEADER_CHARS = 1024;

    public static Forwarded of(InetSocketAddress source, @Nullable String host) {
        var address = source.getAddress().getHostAddress();
        int scope = address.indexOf('%');
        var bare = scope < 0 ? address : address.substring(0, scope);
        var literal = source.getAddress() instanceof Inet6Address ? "[" + bare + "]" : bare;
        return new Forwarded(literal + ":" + source.getPort(), host);
    }

    /// The header value: `for="ip:port"`, with `;host=<name>` for service traffic.
    public String header() {
        return host == null ? "for=\"" + source + "\"" : "for=\"" + source + "\";host=" + host;
    }

    /// Reads the first element of what a peer sent. Parameters may come in any order and case, quoted or not; unknown
    /// ones are skipped.
    ///
    /// @return empty without a `for` parameter or if the text is broken
    public static Optional<Forwarded> parse(CharSequence header) {
        if (header.length() > MAX_HEADER_CHARS) {
            return Optional.empty();
        }
        String source = null;
        String host = null;
        int at = 0;
        var text = header.toString();
        while (at < text.length()) {
            int equals = text.indexOf('=', at);
            if (equals < 0) {
                return Optional.empty();
            }
            var name = text.substring(at, equals).strip();
            String value;
            int end;
            if (equals + 1 < text.length() && text.charAt(equals + 1) == '"') {
                int quote = text.indexOf('"', equals + 2);
                if (quote < 0) {
                    return Optional.empty();
                }
                value = text.substring(equals + 2, quote);
                end = quote + 1;
            } else {
                end = equals + 1;
                while (end < text.length() && text.charAt(end) != ';' && text.charAt(end) != ',') {
                    end++;
                }
                value = text.substring(equals + 1, end).strip();
            }
            if (name.equalsIgnoreCase("for")) {
                source = value;
            } else if (name.equalsIgnoreCase("host")) {
                host = value;
            }
            if (end >= text.length() || text.charAt(end) == ',') {
                break; // the next element is of another proxy
            }
            if (text.charAt(end) != ';') {
                return Optional.empty();
            }
            at = end + 1;
        }
        return source == null || source.isEmpty() ? Optional.empty() : Optional.of(new Forwarded(source, host));
    }
}
