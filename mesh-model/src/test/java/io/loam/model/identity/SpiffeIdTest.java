package io.loam.model.identity;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/// What is an identity and what is none: whoever reads a certificate or a policy relies on there being one spelling.
final class SpiffeIdTest {
    @ParameterizedTest
    @CsvSource({
        "cluster.local, shop, cart",
        "a, b, c",
        "A-Z_09.az, Z, z",
        "-, _, 0",
        "9, A, a",
        "..., .a, a.",
    })
    void readsWhatItWrites(String trustDomain, String namespace, String account) {
        var id = new SpiffeId(trustDomain, namespace, account);
        var principal = trustDomain + "/ns/" + namespace + "/sa/" + account;

        assertThat(id.principal()).isEqualTo(principal);
        assertThat(id).hasToString("spiffe://" + principal);
        assertThat(SpiffeId.parse("spiffe://" + principal)).contains(id);
        assertThat(SpiffeId.parsePrincipal(principal)).contains(id);
        assertThat(SpiffeId.of(trustDomain, namespace, account)).contains(id);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "td",
                "td/ns/a",
                "td/ns/a/sa",
                "td/ns/a/sa/",
                "td/ns/a/sa/b/",
                "td/ns/a/sa/b/c",
                "/td/ns/a/sa/b",
                "td/ns//sa/b",
                "/ns/a/sa/b",
                "td/na/a/sa/b",
                "td/ns/a/as/b",
                "td/NS/a/sa/b",
                "td/ns/a/sa/..",
                "td/ns/./sa/b",
                "../ns/a/sa/b",
                "td/ns/a/sa/b c",
                "td/ns/a/sa/%62",
                "td:1/ns/a/sa/b",
                "u@td/ns/a/sa/b",
                "td/ns/a/sa/b?c",
                "td/ns/a/sa/b#c",
                "td/ns/ä/sa/b",
                "td/ns/a/sa/b\n",
                "td/ns/`/sa/b",
                "td/ns/{/sa/b",
                "td/ns/[/sa/b",
            })
    void isNoIdentity(String principal) {
        assertThat(SpiffeId.parsePrincipal(principal)).isEmpty();
        assertThat(SpiffeId.parse("spiffe://" + principal)).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"td/ns/a/sa/b", "SPIFFE://td/ns/a/sa/b", "http://td/ns/a/sa/b", "spiffe:/td/ns/a/sa/b", ""})
    void anotherSchemeIsNoIdentity(String uri) {
        assertThat(SpiffeId.parse(uri)).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "'', a, b, trust domain: \"\"",
        "a/b, a, b, trust domain: \"a/b\"",
        "td, '', b, namespace: \"\"",
        "td, .., b, namespace: \"..\"",
        "td, a, '', service account: \"\"",
        "td, a, ., service account: \".\"",
    })
    void refusesNamesThatMakeNoIdentity(String trustDomain, String namespace, String account, String why) {
        assertThat(SpiffeId.of(trustDomain, namespace, account)).isEmpty();
        assertThatThrownBy(() -> new SpiffeId(trustDomain, namespace, account))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage(why + " (expected: one or more of a-z A-Z 0-9 . _ -)");
    }

    @Test
    void identitiesAreComparedAsTheyAreWritten() {
        assertThat(new SpiffeId("td", "a", "b")).isNotEqualTo(new SpiffeId("TD", "a", "b"));
    }
}
