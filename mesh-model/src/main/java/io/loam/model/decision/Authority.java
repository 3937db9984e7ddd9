package io.loam.model.decision;

import io.loam.model.address.IpBits;
import java.net.Inet6Address;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.Locale;
import java.util.Optional;

/// What the `:authority` of a CONNECT request names. Ports are 1 to 65535.
public sealed interface Authority {
    int port();

    record ByAddress(InetAddress address, int port) implements Authority {}

    /// @param hostname in lower case
    record ByHostname(String hostname, int port) implements Authority {}

    /// Reads `ip:port`, `[ipv6]:port` or `hostname:port`. Everything else is none: user names, missing ports,
    /// IPv6 without brackets or with a zone, characters that host names do not have.
    static Optional<Authority> parse(String text) {
        int colon = text.lastIndexOf(':');
        int port = colon < 0 ? 0 : port(text, colon + 1);
        if (port == 0) {
            return Optional.empty();
        }
        var host = text.substring(0, colon);
        if (host.startsWith("[") && host.endsWith("]")) {
            var inside = host.substring(1, host.length() - 1);
            // ofLiteral takes brackets as well: a second pair would get through
            return inside.indexOf(':') >= 0 && inside.indexOf('%') < 0 && inside.indexOf('[') < 0
                    ? literal(inside).map(address -> new ByAddress(address, port))
                    : Optional.empty();
        }
        if (looksLikeIpv4(host)) {
            // One spelling only: with leading zeros 010.0.0.1 is 8.0.0.1 to some readers and 10.0.0.1 to others.
            return literal(host)
                    .filter(address -> address.getHostAddress().equals(host))
                    .map(address -> new ByAddress(address, port));
        }
        return isHostname(host) ? Optional.of(new ByHostname(lowerCase(host), port)) : Optional.empty();
    }

    /// The form that {@link #parse} reads.
    ///
    /// @param address may be unresolved
    static String text(InetSocketAddress address) {
        var ip = address.getAddress();
        if (ip == null) {
            return address.getHostString() + ":" + address.getPort();
        }
        return ip instanceof Inet6Address
                ? "[" + IpBits.of(ip) + "]:" + address.getPort()
                : ip.getHostAddress() + ":" + address.getPort();
    }

    private static Optional<InetAddress> literal(String text) {
        try {
            return Optional.of(InetAddress.ofLiteral(text));
        } catch (IllegalArgumentException _) { // not an address; the caller says what that means
            return Optional.empty();
        }
    }

    /// Digits and dots only: no host name has a top-level domain of digits (RFC 3696, 2).
    private static boolean looksLikeIpv4(String host) {
        for (int i = 0; i < host.length(); i++) {
            char c = host.charAt(i);
            if (c != '.' && (c < '0' || c > '9')) {
                return false;
            }
        }
        // ofLiteral also reads 10.1 and 167772161, which nobody means by an authority
        return host.chars().filter(c -> c == '.').count() == 3;
    }

    private static boolean isHostname(String host) {
        boolean hasLetter = false;
        for (int i = 0; i < host.length(); i++) {
            char c = host.charAt(i);
            boolean letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
            if (!letter && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_') {
                return false;
            }
            hasLetter |= letter;
        }
        return hasLetter && host.length() <= 253 && host.charAt(0) != '.';
    }

    private static String lowerCase(String ascii) {
        return ascii.toLowerCase(Locale.ROOT);
    }

    /// @return 1 to 65535, or 0 if there is no such number
    private static int port(String text, int from) {
        int port = 0;
        for (int i = from; i < text.length(); i++) {
            char c = text.charAt(i);
            if (c < '0' || c > '9' || i - from >= 5) {
                return 0;
            }
            port = port * 10 + (c - '0');
        }
        return port <= 65535 ? port : 0;
    }
}
