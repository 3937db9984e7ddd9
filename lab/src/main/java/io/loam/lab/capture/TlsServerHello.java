package io.loam.lab.capture;

import java.nio.ByteBuffer;
import java.util.Optional;

/// What a TLS server chose; this much of TLS 1.3 is readable by anybody on the link (RFC 8446, 4.1.3).
///
/// @param version as in `TLSv1.3`
/// @param cipherSuite as registered with IANA, or its number in hexadecimal
/// @param keyExchange the group of the server's key share as registered with IANA, or its number in hexadecimal; empty
///     before TLS 1.3, where the hello does not say it
public record TlsServerHello(String version, String cipherSuite, String keyExchange) {
    private static final int RECORD_HANDSHAKE = 22;
    private static final int MESSAGE_SERVER_HELLO = 2;
    private static final int EXTENSION_SUPPORTED_VERSIONS = 43;
    private static final int EXTENSION_KEY_SHARE = 51;

    /// @param sent what the server sent, from its first byte
    static Optional<TlsServerHello> parse(byte[] sent) {
        var in = ByteBuffer.wrap(sent);
        if (in.remaining() < 5 || (in.get(0) & 0xff) != RECORD_HANDSHAKE || in.get(1) != 3) {
            return Optional.empty();
        }
        var recordBytes = Short.toUnsignedInt(in.getShort(3));
        return message(in.slice(5, Math.min(recordBytes, in.remaining() - 5)));
    }

    private static Optional<TlsServerHello> message(ByteBuffer in) {
        // type 1, length 3, version 2, random 32, length of the session id 1
        if (in.remaining() < 39 || in.get(0) != MESSAGE_SERVER_HELLO) {
            return Optional.empty();
        }
        var legacyVersion = Short.toUnsignedInt(in.getShort(4));
        var afterSessionId = 39 + (in.get(38) & 0xff);
        if (in.remaining() < afterSessionId + 3) {
            return Optional.empty();
        }
        var cipherSuite = Short.toUnsignedInt(in.getShort(afterSessionId));
        var extensions = in.slice(afterSessionId + 3, in.remaining() - afterSessionId - 3);
        // TLS 1.3 hides in an extension; the field of older versions says 1.2 for the sake of middleboxes.
        var version =
                number(extensions.duplicate(), EXTENSION_SUPPORTED_VERSIONS).orElse(legacyVersion);
        var keyExchange = number(extensions.duplicate(), EXTENSION_KEY_SHARE);
        return Optional.of(new TlsServerHello(
                versionName(version),
                cipherSuiteName(cipherSuite),
                keyExchange.map(TlsServerHello::keyExchangeName).orElse("")));
    }

    /// @return the first two bytes of an extension
    private static Optional<Integer> number(ByteBuffer in, int extension) {
        if (in.remaining() < 2) {
            return Optional.empty();
        }
        in.getShort(); // length of all extensions; a cut recording may have less
        while (in.remaining() >= 4) {
            var type = Short.toUnsignedInt(in.getShort());
            var length = Short.toUnsignedInt(in.getShort());
            if (length > in.remaining()) {
                return Optional.empty();
            }
            if (type == extension && length >= 2) {
                return Optional.of(Short.toUnsignedInt(in.getShort()));
            }
            in.position(in.position() + length);
        }
        return Optional.empty();
    }

    private static String versionName(int version) {
        return switch (version) {
            case 0x0301 -> "TLSv1";
            case 0x0302 -> "TLSv1.1";
            case 0x0303 -> "TLSv1.2";
            case 0x0304 -> "TLSv1.3";
            default -> "0x%04x".formatted(version);
        };
    }

    private static String cipherSuiteName(int number) {
        return switch (number) {
            case 0x1301 -> "TLS_AES_128_GCM_SHA256";
            case 0x1302 -> "TLS_AES_256_GCM_SHA384";
            case 0x1303 -> "TLS_CHACHA20_POLY1305_SHA256";
            default -> "0x%04x".formatted(number);
        };
    }

    private static String keyExchangeName(int number) {
        return switch (number) {
            case 0x0017 -> "secp256r1";
            case 0x001d -> "x25519";
            case 0x11ec -> "X25519MLKEM768";
            default -> "0x%04x".formatted(number);
        };
    }

    @Override
    public String toString() {
        return version + " " + cipherSuite;
    }
}
