package io.loam.agent.workload;

import io.loam.agent.pod.LocalPod;
import io.loam.model.identity.SpiffeId;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.mesh.MeshView;
import io.loam.protocol.tls.MeshTls;
import io.loam.runtime.identity.CertificateSource;
import java.util.concurrent.CompletionStage;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Keeps the certificate of a pod's identity at hand as long as the pod is served. Which identity that is the control
/// plane says, trust domain included; until it has described the pod, the node's own trust domain is the guess, so
/// that the certificate is there before the first connection.
///
/// Thread-safe: held and dropped on the thread of ZDS, told of snapshots on the one that publishes them.
final class PodCertificate {
    private final LocalPod pod;
    private final MeshView mesh;
    private final CertificateSource certificates;
    private final String trustDomain;
    private final Consumer<MeshSnapshot> listener = this::follow;
    private @Nullable SpiffeId held;

    /// @param trustDomain of pods that the control plane has not described yet
    PodCertificate(LocalPod pod, MeshView mesh, CertificateSource certificates, String trustDomain) {
        this.pod = pod;
        this.mesh = mesh;
        this.certificates = certificates;
        this.trustDomain = trustDomain;
    }

    /// From now on the certificate is asked for and renewed. Called once.
    void hold() {
        hold(identity(mesh.current()));
        mesh.addListener(listener);
        follow(mesh.current()); // published between the two
    }

    /// The certificate, for who needs it before the first connection does. Fails with the CA's refusal.
    CompletionStage<MeshTls> get() {
        return certificates.get(identity(mesh.current()));
    }

    private SpiffeId identity(MeshSnapshot snapshot) {
        var workload = pod.workload(snapshot);
        return workload != null
                ? workload.identity()
                : new SpiffeId(trustDomain, pod.info().namespace(), pod.info().serviceAccount());
    }

    private synchronized void hold(SpiffeId identity) {
        held = identity;
        certificates.prefetch(identity);
    }

    /// A pod that the mesh has forgotten keeps what it has: it is described again or leaves.
    private synchronized void follow(MeshSnapshot snapshot) {
        var workload = pod.workload(snapshot);
        var before = held;
        if (workload == null || before == null || workload.identity().equals(before)) {
            return;
        }
        hold(workload.identity());
        certificates.forget(before);
    }

    /// The pod left. Does nothing the second time.
    void drop() {
        mesh.removeListener(listener);
        synchronized (this) {
            if (held != null) {
                certificates.forget(held);
                held = null;
            }
        }
    }
}
