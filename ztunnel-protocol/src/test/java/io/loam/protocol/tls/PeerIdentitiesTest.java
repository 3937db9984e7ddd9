package io.loam.protocol.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CraftedCertificates.Leaf;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What is said about a certificate, as far as [PeerTrustTest] does not decide over it.
class PeerIdentitiesTest {
    private static final CraftedCertificates CA = new CraftedCertificates("root");

    @Test
    void readsTheOneUri() {
        var leaf = CA.workload("spiffe://cluster.local/ns/shop/sa/cart").certificate();

        assertThat(PeerIdentities.of(leaf)).contains(new SpiffeId("cluster.local", "shop", "cart"));
        assertThat(PeerIdentities.of(CA.root())).isEqualTo(Optional.empty());
    }

    /// The name comes from a stranger and goes into a log.
    @ParameterizedTest
    @CsvSource({"0x01, ?", "0x1f, ?", "0x20, ' '", "0x21, !", "0x22, ?", "0x23, #", "0x7e, ~", "0x7f, ?"})
    void controlCharactersAndQuotesOfAStrangersNameAreNotRepeated(String character, String shown) {
        assertThat(PeerIdentities.printable(
                        "x" + (char) Integer.decode(character).intValue() + "y"))
                .isEqualTo("x" + shown + "y");
    }

    @Test
    void saysWhichNameItFound() {
        assertThatThrownBy(() -> PeerIdentities.require(
                        CA.issue(new Leaf().uri("https://a.example")).certificate()))
                .hasMessageStartingWith("URI name \"https://a.example\" (expected: ");
    }

    @Test
    void longNamesAreCut() {
        var whole = "x:" + "y".repeat(198);
        assertThatThrownBy(() ->
                        PeerIdentities.require(CA.issue(new Leaf().uri(whole)).certificate()))
                .hasMessageContaining("\"" + whole + "\"");
        assertThatThrownBy(() -> PeerIdentities.require(
                        CA.issue(new Leaf().uri(whole + "z")).certificate()))
                .hasMessageContaining("\"" + whole + "…\"");
    }
}
