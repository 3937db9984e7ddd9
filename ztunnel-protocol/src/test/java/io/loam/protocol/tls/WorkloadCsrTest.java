package io.loam.protocol.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.loam.model.identity.SpiffeId;
import java.security.GeneralSecurityException;
import java.util.List;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.GeneralName;
import org.bouncycastle.asn1.x509.GeneralNames;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.junit.jupiter.api.Test;

class WorkloadCsrTest {
    private static final SpiffeId CART = new SpiffeId("cluster.local", "shop", "cart");

    /// Wire reference, section 5.
    @Test
    void asksWithEmptySubjectOneCriticalUriAndAP256Key() throws Exception {
        var request = Pem.request(WorkloadCsr.generate(CART).pem());

        assertThat(request.getSubject().getRDNs()).isEmpty();
        var san = request.getRequestedExtensions().getExtension(Extension.subjectAlternativeName);
        assertThat(san.isCritical()).isTrue();
        var names = GeneralNames.getInstance(san.getParsedValue()).getNames();
        assertThat(names).containsExactly(new GeneralName(GeneralName.uniformResourceIdentifier, CART.toString()));
        assertThat(request.isSignatureValid(
                        new JcaContentVerifierProviderBuilder().build(request.getSubjectPublicKeyInfo())))
                .isTrue();
    }

    @Test
    void takesNoAnswerForAnotherKey() {
        var ca = new CraftedCertificates("root");
        var other = ca.workload(CART.toString());

        assertThatThrownBy(() -> WorkloadCsr.generate(CART)
                        .accept(List.of(Pem.encode(other.certificate()), Pem.encode(ca.root()))))
                .isInstanceOf(GeneralSecurityException.class)
                .hasMessageContaining("another key");
    }

    @Test
    void takesNoAnswerWithoutRoots() {
        assertThatThrownBy(() -> WorkloadCsr.generate(CART).accept(List.of("x")))
                .isInstanceOf(GeneralSecurityException.class)
                .hasMessageContaining("1 elements");
    }

    @Test
    void keysSurviveAWayThroughPem() throws Exception {
        var issued = new CraftedCertificates("root").workload(CART.toString());

        assertThat(Pem.privateKey(Pem.encode(issued.key()))).isEqualTo(issued.key());
        assertThat(Pem.certificates(Pem.encode(List.of(issued.certificate(), issued.certificate()))))
                .containsExactly(issued.certificate(), issued.certificate());
    }
}
