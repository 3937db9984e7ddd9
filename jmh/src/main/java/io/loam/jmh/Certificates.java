package io.loam.jmh;

import io.loam.ca.AuthorityException;
import io.loam.ca.CertificateAuthority;
import io.loam.ca.RequestRefusedException;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.CertificateBundle;
import io.loam.protocol.tls.MeshTls;
import io.loam.protocol.tls.WorkloadCsr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Comparator;

/// Certificates of a mesh's own authority, whose keys live in a temporary directory until {@link #close}.
final class Certificates implements AutoCloseable {
    private final Path directory;
    private final CertificateAuthority authority;

    Certificates() {
        try {
            directory = Files.createTempDirectory("loam-jmh-ca");
            authority = CertificateAuthority.openOrCreate(directory, InstantSource.system());
        } catch (IOException | AuthorityException e) {
            throw new IllegalStateException("no authority, so nothing to measure TLS with", e);
        }
    }

    CertificateBundle certify(SpiffeId identity) throws GeneralSecurityException {
        var csr = WorkloadCsr.generate(identity);
        try {
            return csr.accept(
                    authority.issueWorkload(identity, csr.pem(), Duration.ZERO).certChain());
        } catch (RequestRefusedException e) {
            throw new GeneralSecurityException("the authority refuses a request of our own making", e);
        }
    }

    MeshTls tls(SpiffeId identity) {
        try {
            return MeshTls.of(certify(identity), InstantSource.system());
        } catch (GeneralSecurityException | IOException e) {
            throw new IllegalStateException("no certificate for " + identity, e);
        }
    }

    @Override
    public void close() {
        try (var files = Files.walk(directory)) {
            for (var file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            throw new IllegalStateException("keys are left behind in " + directory, e);
        }
    }
}
