package io.loam.agent.workload;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.agent.pod.LocalPod;
import io.loam.agent.pod.TestPods;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshView;
import io.loam.model.workload.Workload;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.identity.CertificateState;
import io.loam.runtime.time.SystemTimer;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/// Whose certificate is kept at hand: the identity that tunnels of the pod will present, and no other.
class PodCertificateTest {
    private static final String OTHER_DOMAIN = "old.test";
    private static final String GUESS = "spiffe://old.test/ns/shop/sa/web";
    private static final String OWN = "spiffe://cluster.local/ns/shop/sa/web";

    private final MeshView mesh = new MeshView();

    /// Requests are not run: which there are is all that is looked at.
    private final CertificateSource certificates = new CertificateSource(
            identity -> {
                throw new AssertionError("not asked in this test: " + identity);
            },
            HandshakeTerms.DEFAULT,
            _ -> {},
            new SystemTimer(),
            new Random(1));

    private final LocalPod pod = TestPods.pod("web");
    private final PodCertificate certificate = new PodCertificate(pod, mesh, certificates, OTHER_DOMAIN);

    @Test
    void aPodThatTheMeshKnowsHasItsOwnTrustDomain() {
        describe();

        certificate.hold();

        assertThat(held()).containsExactly(OWN);
    }

    @Test
    void theGuessIsDroppedWhenTheMeshSaysOtherwise() {
        certificate.hold();
        assertThat(held()).containsExactly(GUESS);

        describe();

        assertThat(held()).containsExactly(OWN);
    }

    @Test
    void nothingIsKeptForAPodThatLeft() {
        certificate.hold();
        describe();

        certificate.drop();
        certificate.drop();

        assertThat(held()).isEmpty();
    }

    private void describe() {
        Workload workload = TestPods.workload("web", "10.0.0.1");
        mesh.publish(mesh.current().apply(MeshDelta.builder().upsert(workload).build()));
    }

    private List<String> held() {
        return certificates.states().stream()
                .map(CertificateState::identity)
                .map(Object::toString)
                .toList();
    }
}
