package io.loam.model.address;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CidrBlockTest {
    @ParameterizedTest
    @CsvSource({
        "10.0.0.1,10.0.0.1/32",
        "10.0.0.0/8,10.0.0.0/8",
        "0.0.0.0/0,0.0.0.0/0",
        "::/0,0:0:0:0:0:0:0:0/0",
        "fd00::1,fd00:0:0:0:0:0:0:1/128",
        "FD00::/8,fd00:0:0:0:0:0:0:0/8",
        "::ffff:10.0.0.1,10.0.0.1/32",
        "::ffff:10.0.0.0/104,10.0.0.0/8",
        "::ffff:10.0.0.0/96,10.0.0.0/0",
    })
    void readsAddressesAndBlocks(String text, String block) {
        assertThat(CidrBlock.parse(text)).hasToString(block);
    }

    /// What other programs read as another address, or as none.
    @ParameterizedTest
    @ValueSource(
            strings = {
                "010.0.0.1",
                "10.0.0.01",
                "10.1",
                "10.1.2",
                "167772161",
                "0x0a000001",
                "10.0.0.256",
                "10.0.0.0/33",
                "10.0.0.0/-1",
                "10.0.0.0/+8",
                "10.0.0.0/08",
                "10.0.0.0/",
                "/8",
                "",
                "10.0.0.0/8/8",
                "fd00::/129",
                "fe80::1%eth0",
                "fe80::1%1/64",
                "::ffff:10.0.0.0/8",
                "::ffff:10.0.0.0/95",
                "::ffff:10.0.0.0/129",
                "[fd00::1]",
                "localhost",
                "10.0.0.1 ",
                " 10.0.0.1"
            })
    void refusesEveryOtherSpelling(String text) {
        assertThatThrownBy(() -> CidrBlock.parse(text))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("\"" + text + "\" (expected: an IP address or CIDR block such as 10.0.0.0/8 or fd00::/8)");
    }
}
