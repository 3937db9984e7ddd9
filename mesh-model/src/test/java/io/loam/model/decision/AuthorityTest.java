package io.loam.model.decision;

import static io.loam.model.Meshes.ip;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.decision.Authority.ByAddress;
import io.loam.model.decision.Authority.ByHostname;
import java.net.InetSocketAddress;
import java.util.Locale;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Wire reference, 2.2: what a CONNECT asks for. The characters are those at the edges of what host names have.
final class AuthorityTest {
    @ParameterizedTest
    @ValueSource(
            strings = {
                "a.z-_0.9:1",
                "A.Z:65535",
                "a:80",
                "1a:80",
                "a1:80",
                "1.2.3.4.a:80",
                "1.2.3.a:80",
                "a.:80",
                "-a:80",
                "_a:80"
            })
    void readsHostnames(String text) {
        int colon = text.indexOf(':');
        var expected = new ByHostname(text.substring(0, colon).toLowerCase(Locale.ROOT), port(text));

        assertThat(Authority.parse(text)).contains(expected);
        assertThat(Authority.text(InetSocketAddress.createUnresolved(expected.hostname(), expected.port())))
                .isEqualTo(text.toLowerCase(Locale.ROOT));
    }

    @ParameterizedTest
    @ValueSource(strings = {"0.0.0.0:1", "9.99.0.255:65535", "10.0.0.7:80", "[fd00::7]:80", "[::1]:1", "[9::f]:9"})
    void readsAddresses(String text) {
        int colon = text.lastIndexOf(':');
        var expected =
                new ByAddress(ip(text.substring(0, colon).replace("[", "").replace("]", "")), port(text));

        assertThat(Authority.parse(text)).contains(expected);
        assertThat(Authority.text(new InetSocketAddress(expected.address(), expected.port())))
                .isEqualTo(text);
    }

    private static int port(String text) {
        return Integer.parseInt(text.substring(text.lastIndexOf(':') + 1));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ":",
                "a",
                "a:",
                ":80",
                "[:80",
                "]:80",
                "[]:80",
                "a:0",
                "a:00000",
                "a:65536",
                "a:99999",
                "a:000080",
                "a:123456",
                "a:+80",
                "a:-80",
                "a:8/0",
                "a:8:",
                "a:/",
                "a::80",
                "a: 80",
                "a:80 ",
                "@:80",
                "a@b:80",
                "a[b:80",
                "a`b:80",
                "a{b:80",
                "a/b:80",
                "a;b:80",
                "a,b:80",
                "a b:80",
                "a%b:80",
                ".a:80",
                "123:80",
                "1.2.3:80",
                "1.2.3.4.5:80",
                "...:80",
                "256.0.0.1:80",
                "010.0.0.1:80",
                "10.0.0.01:80",
                "1.2.3.:80",
                "fd00::7:80",
                "[fd00::7:80",
                "fd00::7]:80",
                "[10.0.0.7]:80",
                "[fd00::7%eth0]:80",
                "[fd00::g]:80",
                "[[::1]]:80",
                "\u00e4:80",
                "a\u0000b:80"
            })
    void everythingElseIsNone(String text) {
        assertThat(Authority.parse(text)).isEmpty();
    }

    /// RFC 1035, 2.3.4, as it counts without the length of the labels.
    @Test
    void aHostnameHas253CharactersAtTheMost() {
        assertThat(Authority.parse("a".repeat(253) + ":80")).isPresent();
        assertThat(Authority.parse("a".repeat(254) + ":80")).isEmpty();
    }
}
