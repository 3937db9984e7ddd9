package io.loam.jmh;

import io.loam.model.identity.SpiffeId;
import io.loam.model.workload.Workload;
import io.loam.protocol.tls.HandshakeTerms;
import io.loam.protocol.tls.MeshTls;
import io.loam.runtime.identity.CertificateSource;
import io.loam.runtime.time.SystemTimer;
import java.util.SplittableRandom;
import java.util.concurrent.CompletionStage;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/// Question: what does a tunnel pay to get the certificate of its workload when there is one?
///
/// Expected: at most 200 ns and 64 B, the answer's future and the reading of the clock. It is asked once for each
/// tunnel, never for a stream.
@State(Scope.Benchmark)
public class CertificateBenchmark {
    private static final int IDENTITIES = 100;

    private final Certificates certificates = new Certificates();
    private final SpiffeId[] identities = new SpiffeId[IDENTITIES];
    private final CertificateSource source = new CertificateSource(
            certificates::certify, HandshakeTerms.DEFAULT, Runnable::run, new SystemTimer(), new SplittableRandom(1));
    private int turn;

    @Setup
    public void fetchAll() {
        for (int i = 0; i < IDENTITIES; i++) {
            identities[i] = new SpiffeId(Workload.DEFAULT_TRUST_DOMAIN, "shop", "account-" + i);
            source.prefetch(identities[i]);
        }
    }

    @TearDown
    public void close() {
        certificates.close();
    }

    @Benchmark
    public CompletionStage<MeshTls> lookUp() {
        return source.get(identities[turn++ % IDENTITIES]);
    }
}
