package io.loam.protocol.tls;

import static io.loam.protocol.tls.CraftedCertificates.NOW;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CraftedCertificates.Issued;
import io.loam.protocol.tls.CraftedCertificates.Leaf;
import io.loam.protocol.tls.PeerRefusedException.Reason;
import java.io.ByteArrayInputStream;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.InstantSource;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.bouncycastle.asn1.ASN1Encodable;
import org.bouncycastle.asn1.ASN1ObjectIdentifier;
import org.bouncycastle.asn1.DERSequence;
import org.bouncycastle.asn1.DERTaggedObject;
import org.bouncycastle.asn1.DERUTF8String;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Hazards I4 and I5: which certificates prove an identity, and to whom.
class PeerTrustTest {
    private static final String CART = "spiffe://cluster.local/ns/shop/sa/cart";
    private static final SpiffeId CART_ID = new SpiffeId("cluster.local", "shop", "cart");

    private static final CraftedCertificates CA = new CraftedCertificates("root");
    private static final CraftedCertificates OTHER_CA = new CraftedCertificates("other root");

    private final PeerTrust trust =
            new PeerTrust(List.of(CA.root()), "cluster.local", Revocations.NONE, InstantSource.fixed(NOW));

    @Test
    void acceptsAWorkloadOfTheOwnTrustDomain() throws Exception {
        assertThat(trust.checkClient(chain(CA.workload(CART))).identity()).isEqualTo(CART_ID);
    }

    @Test
    void acceptsAChainThroughAnIntermediateWithOrWithoutTheRoot() throws Exception {
        var intermediate = CA.intermediate("intermediate");
        var leaf = intermediate.workload(CART).certificate();

        assertThat(trust.checkClient(new X509Certificate[] {leaf, intermediate.root()})
                        .identity())
                .isEqualTo(CART_ID);
        assertThat(trust.checkClient(new X509Certificate[] {leaf, intermediate.root(), CA.root()})
                        .identity())
                .isEqualTo(CART_ID);
    }

    @Test
    void acceptsEitherRootDuringARotation() throws Exception {
        var both = new PeerTrust(
                List.of(CA.root(), OTHER_CA.root()), "cluster.local", Revocations.NONE, InstantSource.fixed(NOW));

        assertThat(both.checkClient(chain(CA.workload(CART))).identity()).isEqualTo(CART_ID);
        assertThat(both.checkClient(chain(OTHER_CA.workload(CART))).identity()).isEqualTo(CART_ID);
    }

    /// X.509-SVID, section 2: names of other types may stand beside the URI.
    @Test
    void ignoresNamesOfOtherTypesBesideTheUri() throws Exception {
        var leaf = CA.issue(new Leaf().uri(CART).san(new GeneralName(GeneralName.dNSName, "cart.shop.svc")));

        assertThat(trust.checkClient(chain(leaf)).identity()).isEqualTo(CART_ID);
    }

    @Test
    void acceptsOneOfSeveralExpectedServers() throws Exception {
        var expected = Set.of(CART_ID, new SpiffeId("cluster.local", "shop", "stock"));

        assertThat(trust.checkServer(chain(CA.workload(CART)), expected).identity())
                .isEqualTo(CART_ID);
    }

    /// A service's subject_alt_names may name another trust domain; for the client only equality counts.
    @Test
    void acceptsAnExpectedServerOfAnotherTrustDomain() throws Exception {
        var foreign = new SpiffeId("other.example", "shop", "cart");

        assertThat(trust.checkServer(chain(CA.workload(foreign.toString())), Set.of(foreign))
                        .identity())
                .isEqualTo(foreign);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("notExpected")
    void refusesServersOtherThanTheExpected(String uri) {
        var refused = catchThrowableOfType(
                PeerRefusedException.class, () -> trust.checkServer(chain(CA.workload(uri)), Set.of(CART_ID)));

        assertThat(refused.reason()).isEqualTo(Reason.UNEXPECTED_IDENTITY);
        assertThat(refused).hasMessageContaining(CART);
    }

    static Stream<String> notExpected() {
        return Stream.of(
                "spiffe://cluster.local/ns/shop/sa/stock",
                "spiffe://cluster.local/ns/shop/sa/cart1",
                "spiffe://cluster.local/ns/shop/sa/car",
                "spiffe://cluster.local/ns/Shop/sa/cart",
                "spiffe://cluster.local/ns/shop/sa/Cart",
                "spiffe://cluster.loca/ns/shop/sa/cart",
                "spiffe://CLUSTER.LOCAL/ns/shop/sa/cart");
    }

    @Test
    void expectsNobodyUnlessTold() {
        var refused = catchThrowableOfType(
                PeerRefusedException.class, () -> trust.checkServer(chain(CA.workload(CART)), Set.of()));

        assertThat(refused.reason()).isEqualTo(Reason.UNEXPECTED_IDENTITY);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("noIdentities")
    void refusesCertificatesWithoutExactlyOneIdentity(String what, Leaf leaf) {
        var der = new ByteArrayInputStream(CA.encode(leaf));

        // Java refuses to read some of them, we refuse the rest: either way nobody gets in.
        var refused = catchThrowableOfType(CertificateException.class, () -> {
            var certificate =
                    (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(der);
            trust.checkClient(new X509Certificate[] {certificate});
        });

        assertThat(refused).as(what).isNotNull();
        if (refused instanceof PeerRefusedException ours) {
            assertThat(ours.reason()).as(what).isIn(Reason.NO_IDENTITY, Reason.UNTRUSTED_CHAIN);
        }
    }

    @Test
    void theTableOfTricksIsAsLongAsTheHazardAsksFor() {
        assertThat(noIdentities()).hasSizeGreaterThanOrEqualTo(60);
        System.out.printf(
                "hazard I4: %d certificates with tricks in their names, 0 accepted%n",
                noIdentities().count());
        System.out.printf(
                "hazard I5: %d untrusted certificates, 0 accepted%n",
                untrusted().count());
    }

    static Stream<Arguments> noIdentities() {
        var uris = Stream.of(
                        CART + "\0",
                        CART + "\0.evil.example",
                        "\0" + CART,
                        "spiffe://cluster.local\0/ns/shop/sa/cart",
                        "spiffe://cluster.local/ns/shop/sa/ca\0rt",
                        "SPIFFE://cluster.local/ns/shop/sa/cart",
                        "Spiffe://cluster.local/ns/shop/sa/cart",
                        "spiffe://cluster.local/NS/shop/sa/cart",
                        "spiffe://cluster.local/ns/shop/SA/cart",
                        "spiffe://cluster.local/ns/shop/sa/c%61rt",
                        "spiffe://cluster%2elocal/ns/shop/sa/cart",
                        "spiffe://cluster.local/ns/shop%2Fsa/sa/cart",
                        "spiffe://cluster.local/ns/shop/sa/cart/",
                        "spiffe://cluster.local/ns/shop/sa/cart/x",
                        "spiffe://cluster.local//ns/shop/sa/cart",
                        "spiffe://cluster.local/ns//sa/cart",
                        "spiffe://cluster.local/ns/shop/sa/",
                        "spiffe://cluster.local/ns/shop/sa",
                        "spiffe://cluster.local/ns/shop",
                        "spiffe://cluster.local/sa/cart/ns/shop",
                        "spiffe://cluster.local",
                        "spiffe:///ns/shop/sa/cart",
                        "spiffe://",
                        "",
                        " " + CART,
                        CART + " ",
                        CART + "\n",
                        CART + "?x=1",
                        CART + "#x",
                        "spiffe://user@cluster.local/ns/shop/sa/cart",
                        "spiffe://cluster.local:443/ns/shop/sa/cart",
                        "spiffe://cluster.local/ns/../sa/cart",
                        "spiffe://cluster.local/ns/shop/sa/..",
                        "spiffe://cluster.local/ns/./sa/cart",
                        "spiffe://cluster.local\\ns\\shop\\sa\\cart",
                        "spiffe:/cluster.local/ns/shop/sa/cart",
                        "spiffe:cluster.local/ns/shop/sa/cart",
                        "https://cluster.local/ns/shop/sa/cart",
                        "urn:spiffe://cluster.local/ns/shop/sa/cart",
                        "spiffe://[::1]/ns/shop/sa/cart",
                        "spiffe://cluster.local/ns/shop/sa/cart,spiffe://cluster.local/ns/shop/sa/stock",
                        "spiffe://cluster.local/ns/shop/sa/cart;x",
                        "spiffe://cluster.local/ns/sh\u007fop/sa/cart",
                        "spiffe://cluster.local/ns/shop/sa/cart*",
                        "spiffe://*/ns/shop/sa/cart",
                        CART + "\t",
                        CART + "\r\n",
                        "spiffe://cluster.local/ns/shop/sa/c\u0001art",
                        "spiffe://cluster.local/ns/sh op/sa/cart",
                        "spiffe://cluster.local/ns/shop/sa/cart%00",
                        "spiffe://cluster.local/ns/shop/sa/cart/../stock",
                        "spiffe://cluster.local/ns/*/sa/cart")
                .map(uri -> Arguments.of(uri.replace("\0", "<NUL>"), new Leaf().uri(uri)));
        var others = Stream.of(
                Arguments.of("no name at all", new Leaf()),
                Arguments.of("two URIs, ours first", new Leaf().uri(CART).uri("spiffe://cluster.local/ns/a/sa/b")),
                Arguments.of(
                        "two URIs, ours last",
                        new Leaf().uri("https://a.example").uri(CART)),
                Arguments.of("the same URI twice", new Leaf().uri(CART).uri(CART)),
                Arguments.of("as DNS name", new Leaf().san(new GeneralName(GeneralName.dNSName, CART))),
                Arguments.of("as mail address", new Leaf().san(new GeneralName(GeneralName.rfc822Name, CART))),
                Arguments.of(
                        "as other name",
                        new Leaf().san(new GeneralName(GeneralName.otherName, new DERSequence(new ASN1Encodable[] {
                            new ASN1ObjectIdentifier("1.2.3.4"), new DERTaggedObject(true, 0, new DERUTF8String(CART))
                        })))),
                Arguments.of("as directory name", new Leaf().san(new GeneralName(new X500Name("CN=spiffe")))),
                Arguments.of("as IP address", new Leaf().san(new GeneralName(GeneralName.iPAddress, "10.0.0.1"))));
        return Stream.concat(uris, others);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("untrusted")
    void refusesClientsItCannotTrust(String what, Issued issued, Reason reason) {
        var refused = catchThrowableOfType(PeerRefusedException.class, () -> trust.checkClient(chain(issued)));

        assertThat(refused).as(what).isNotNull();
        assertThat(refused.reason()).as(what).isEqualTo(reason);
    }

    static Stream<Arguments> untrusted() {
        var minute = Duration.ofMinutes(1);
        return Stream.of(
                Arguments.of("another root", OTHER_CA.workload(CART), Reason.UNTRUSTED_CHAIN),
                Arguments.of(
                        "a root of the same name",
                        new CraftedCertificates("root").workload(CART),
                        Reason.UNTRUSTED_CHAIN),
                Arguments.of(
                        "expired a minute ago",
                        CA.issue(new Leaf().uri(CART).valid(NOW.minus(Duration.ofDays(1)), NOW.minus(minute))),
                        Reason.UNTRUSTED_CHAIN),
                Arguments.of(
                        "valid in a minute",
                        CA.issue(new Leaf().uri(CART).valid(NOW.plus(minute), NOW.plus(Duration.ofDays(1)))),
                        Reason.UNTRUSTED_CHAIN),
                Arguments.of(
                        "of another trust domain",
                        CA.workload("spiffe://other.example/ns/shop/sa/cart"),
                        Reason.FOREIGN_TRUST_DOMAIN),
                Arguments.of(
                        "of a longer trust domain",
                        CA.workload("spiffe://cluster.local.evil.example/ns/shop/sa/cart"),
                        Reason.FOREIGN_TRUST_DOMAIN),
                Arguments.of(
                        "of the trust domain in upper case",
                        CA.workload("spiffe://CLUSTER.LOCAL/ns/shop/sa/cart"),
                        Reason.FOREIGN_TRUST_DOMAIN),
                Arguments.of(
                        "for servers only",
                        CA.issue(new Leaf().uri(CART).purposes(KeyPurposeId.id_kp_serverAuth)),
                        Reason.WRONG_PURPOSE),
                Arguments.of("for nothing", CA.issue(new Leaf().uri(CART).purposes()), Reason.WRONG_PURPOSE),
                Arguments.of("a CA's", CA.issue(new Leaf().uri(CART).ca()), Reason.WRONG_PURPOSE));
    }

    @Test
    void saysWhomItCannotTrust() {
        var named = catchThrowableOfType(
                PeerRefusedException.class, () -> trust.checkClient(chain(OTHER_CA.workload(CART))));
        assertThat(named).hasMessageStartingWith(CART + ": ").hasMessageEndingWith("a valid chain to one of 1 roots)");

        var nameless = OTHER_CA.issue(new Leaf().san(new GeneralName(GeneralName.dNSName, "cart.shop.svc")));
        var refused = catchThrowableOfType(PeerRefusedException.class, () -> trust.checkClient(chain(nameless)));
        assertThat(refused)
                .hasMessageStartingWith("certificate with serial "
                        + nameless.certificate().getSerialNumber().toString(16) + ": ");
    }

    @Test
    void doesNotTellClientsItsRoots() {
        assertThat(trust.getAcceptedIssuers()).isEmpty();
    }

    @Test
    void refusesServersWhoseCertificateIsForClientsOnly() {
        var leaf = CA.issue(new Leaf().uri(CART).purposes(KeyPurposeId.id_kp_clientAuth));

        var refused =
                catchThrowableOfType(PeerRefusedException.class, () -> trust.checkServer(chain(leaf), Set.of(CART_ID)));

        assertThat(refused.reason()).isEqualTo(Reason.WRONG_PURPOSE);
    }

    @Test
    void refusesALeafSignedByAnotherLeaf() {
        var honest = CA.workload(CART);
        var forged = OTHER_CA.workload(CART);

        var refused = catchThrowableOfType(
                PeerRefusedException.class,
                () -> trust.checkClient(new X509Certificate[] {forged.certificate(), honest.certificate()}));

        assertThat(refused.reason()).isEqualTo(Reason.UNTRUSTED_CHAIN);
    }

    private static X509Certificate[] chain(Issued issued) {
        return new X509Certificate[] {issued.certificate()};
    }
}
