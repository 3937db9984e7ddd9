package io.loam.protocol.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class OriginalAddressTest {
    @Test
    void readsAnIpv4SocketAddress() {
        assertThat(parse("0200" + "0050" + "0a000007" + "0000000000000000"))
                .isEqualTo(new InetSocketAddress("10.0.0.7", 80));
    }

    @Test
    void readsAnIpv6SocketAddress() {
        assertThat(parse("0a00" + "ffff" + "00000000" + "20010db8000000000000000000000001" + "00000000"))
                .isEqualTo(new InetSocketAddress("2001:db8::1", 65535));
    }

    /// Wire reference, 1.2: mapped addresses are folded before any look-up.
    @Test
    void foldsMappedAddresses() {
        assertThat(parse("0a00" + "1f90" + "00000000" + "00000000000000000000ffff0a000007" + "00000000"))
                .isEqualTo(new InetSocketAddress("10.0.0.7", 8080));
    }

    @Test
    void knowsNoOtherFamilies() {
        assertThat(parse("0100" + "0000" + "00000000" + "0000000000000000")).isNull();
    }

    private static @Nullable InetSocketAddress parse(String hex) {
        return OriginalAddress.parse(ByteBuffer.wrap(HexFormat.of().parseHex(hex)));
    }
}
