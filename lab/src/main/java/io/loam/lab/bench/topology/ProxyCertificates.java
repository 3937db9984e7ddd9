package io.loam.lab.bench.topology;

import io.loam.ca.AuthorityException;
import io.loam.ca.CertificateAuthority;
import io.loam.ca.RequestRefusedException;
import io.loam.model.identity.SpiffeId;
import io.loam.protocol.tls.Pem;
import io.loam.protocol.tls.WorkloadCsr;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.time.Clock;
import java.time.Duration;

/// Certificates for the proxies we are compared with, of the same kind as our own: P-256, a leaf under an intermediate
/// under a root, so that a handshake costs the same on both sides of the comparison.
///
/// @param roots PEM file
/// @param client PEM file with certificate, intermediate and key
/// @param server as `client`
record ProxyCertificates(Path roots, Path client, Path server) {
    static ProxyCertificates mint(Path directory) throws IOException {
        try {
            var authority = CertificateAuthority.openOrCreate(directory.resolve("ca"), Clock.systemUTC());
            var roots = Files.writeString(directory.resolve("roots.pem"), authority.rootsPem());
            return new ProxyCertificates(
                    roots, issue(authority, directory, "client"), issue(authority, directory, "server"));
        } catch (AuthorityException | RequestRefusedException | GeneralSecurityException e) {
            throw new IOException("no certificates for the proxies to compare with: " + e.getMessage(), e);
        }
    }

    private static Path issue(CertificateAuthority authority, Path directory, String name)
            throws IOException, RequestRefusedException, GeneralSecurityException {
        var request = WorkloadCsr.generate(new SpiffeId("cluster.local", "bench", name));
        var bundle = request.accept(authority
                .issueWorkload(request.identity(), request.pem(), Duration.ZERO)
                .certChain());
        var file = directory.resolve(name + ".pem");
        Files.deleteIfExists(file);
        Files.createFile(file, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        return Files.writeString(file, Pem.encode(bundle.chain()) + Pem.encode(bundle.privateKey()));
    }
}
