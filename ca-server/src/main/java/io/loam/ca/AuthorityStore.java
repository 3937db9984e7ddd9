package io.loam.ca;

import io.loam.protocol.tls.Pem;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileTime;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import java.util.Set;
import java.util.stream.Stream;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.BasicConstraints;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyUsage;
import org.bouncycastle.asn1.x509.SubjectPublicKeyInfo;
import org.bouncycastle.cert.X509v3CertificateBuilder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cert.jcajce.JcaX509ExtensionUtils;
import org.bouncycastle.operator.OperatorCreationException;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The authority's certificates and keys as PEM files in one directory.
///
/// Each file is written beside its place, flushed to the disk and renamed. `cert-chain.pem` is written last: keys
/// of our own making that lack it come from a creation that was interrupted, have signed nothing, and are made
/// anew. A lock on `.lock` keeps a second process from creating at the same time.
final class AuthorityStore {
    private static final Logger LOG = LoggerFactory.getLogger(AuthorityStore.class);

    private static final String CA_CERT = "ca-cert.pem";
    private static final String CA_KEY = "ca-key.pem";
    private static final String CERT_CHAIN = "cert-chain.pem";
    private static final String ROOT_CERT = "root-cert.pem";
    private static final String ROOT_KEY = "root-key.pem";

    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

    /// As istiod's self-signed root: replacing a root takes every agent, so it is done rarely.
    private static final Duration ROOT_VALIDITY = Duration.ofDays(3650);

    /// Short enough that a stolen intermediate key ends within a year, long enough to be renewed at leisure.
    private static final Duration INTERMEDIATE_VALIDITY = Duration.ofDays(365);

    /// More than the longest leaf (90 days), so that no leaf is cut short by its issuer, with a month to notice
    /// trouble.
    private static final Duration RENEW_INTERMEDIATE_BEFORE_END = Duration.ofDays(120);

    private static final int LEAST_RSA_BITS = 2048;

    private final Path directory;
    private final boolean makes;
    private final InstantSource clock;

    /// @param makes whether this process may write keys and certificates: those that somebody plugged in are only read
    AuthorityStore(Path directory, boolean makes, InstantSource clock) {
        this.directory = directory;
        this.makes = makes;
        this.clock = clock;
    }

    Path rootFile() {
        return file(ROOT_CERT);
    }

    Path signerFile() {
        return file(CA_CERT);
    }

    /// Changes when one of the files is written, replaced, added or removed; links are followed, since Kubernetes
    /// swaps one.
    List<FileStamp> stamps() throws IOException {
        var stamps = new ArrayList<FileStamp>();
        for (var name : List.of(CA_CERT, CA_KEY, CERT_CHAIN, ROOT_CERT)) {
            stamps.add(FileStamp.of(file(name)));
        }
        return stamps;
    }

    record FileStamp(@Nullable Object key, long bytes, FileTime written) {
        static FileStamp of(Path file) throws IOException {
            try {
                var attributes = Files.readAttributes(file, BasicFileAttributes.class);
                return new FileStamp(attributes.fileKey(), attributes.size(), attributes.lastModifiedTime());
            } catch (NoSuchFileException _) {
                return new FileStamp(null, -1, FileTime.fromMillis(0));
            }
        }
    }

    Issuer openOrCreate() throws AuthorityException {
        try {
            Files.createDirectories(directory);
            try (var lockFile = FileChannel.open(
                            directory.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    var _ = lockFile.lock()) {
                if (isEmpty() || creationWasInterrupted()) {
                    create();
                }
                return open();
            }
        } catch (IOException e) {
            throw new AuthorityException(directory, e.getMessage() + " (expected: a directory to store keys)", e);
        }
    }

    /// Reads and checks everything.
    Issuer open() throws AuthorityException {
        var certificate = signer();
        var key = key(CA_KEY);
        var roots = certificates(ROOT_CERT);
        // Istio leaves cert-chain.pem out (or empty) where a root signs the leaves itself.
        var chain = Files.exists(directory.resolve(CERT_CHAIN)) ? chainFile() : List.<X509Certificate>of();
        requireAuthority(CA_CERT, certificate);
        requireMatch(key, certificate);
        for (var root : roots) {
            requireAuthority(ROOT_CERT, root);
        }
        return issuer(key, certificate, chain, roots);
    }

    /// Whether the intermediate ends soon and its root's key is here to make another.
    boolean renewalDue(Issuer issuer, Instant now) {
        var end = issuer.certificate().getNotAfter().toInstant();
        return makes
                && now.isAfter(end.minus(RENEW_INTERMEDIATE_BEFORE_END))
                && Files.exists(directory.resolve(ROOT_KEY))
                && issuer.roots().getFirst().getNotAfter().toInstant().isAfter(end);
    }

    /// Makes a new intermediate with a new key under the same root.
    Issuer renewIntermediate() throws AuthorityException {
        try {
            var root = certificates(ROOT_CERT).getFirst();
            writeIntermediate(key(ROOT_KEY), root);
            return open();
        } catch (IOException e) {
            throw new AuthorityException(directory, String.valueOf(e.getMessage()), e);
        }
    }

    static KeyPair newKeyPair() {
        try {
            var generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            return generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("this Java runtime cannot make P-256 keys", e);
        }
    }

    private boolean isEmpty() {
        return Stream.of(CA_CERT, CA_KEY, CERT_CHAIN, ROOT_CERT, ROOT_KEY)
                .noneMatch(file -> Files.exists(directory.resolve(file)));
    }

    private boolean creationWasInterrupted() {
        return Files.exists(directory.resolve(ROOT_KEY)) && !Files.exists(directory.resolve(CERT_CHAIN));
    }

    private void create() throws IOException {
        var keys = newKeyPair();
        var root = authorityCertificate("Loam root CA", keys.getPublic(), null, keys.getPrivate(), ROOT_VALIDITY, 1);
        write(ROOT_KEY, Pem.encode(keys.getPrivate()));
        write(ROOT_CERT, Pem.encode(root));
        writeIntermediate(keys.getPrivate(), root);
        LOG.info(
                "ca directory={} made a new root, valid until {}",
                directory,
                root.getNotAfter().toInstant());
    }

    /// A crash between the two renames of a renewal would leave a key that does not fit its certificate. The key
    /// file is therefore written with the certificate in it, which is the one that counts ({@link #signer}).
    private void writeIntermediate(PrivateKey rootKey, X509Certificate root) throws IOException {
        var keys = newKeyPair();
        var intermediate =
                authorityCertificate("Loam intermediate CA", keys.getPublic(), root, rootKey, INTERMEDIATE_VALIDITY, 0);
        write(CA_KEY, Pem.encode(keys.getPrivate()) + Pem.encode(intermediate));
        write(CA_CERT, Pem.encode(intermediate));
        write(CERT_CHAIN, Pem.encode(List.of(intermediate, root)));
    }

    /// @param issuer null for a root
    private X509Certificate authorityCertificate(
            String name,
            PublicKey key,
            @Nullable X509Certificate issuer,
            PrivateKey issuerKey,
            Duration validity,
            int authoritiesBelow)
            throws IOException {
        var now = clock.instant();
        var end = now.plus(validity);
        if (issuer != null && issuer.getNotAfter().toInstant().isBefore(end)) {
            end = issuer.getNotAfter().toInstant();
        }
        // The serial number makes the names of two roots differ, so that a chain never matches the wrong one by name.
        var serial = LeafProfile.randomSerial();
        var subject =
                new X500Name("O=loam,CN=" + name + " " + serial.shiftRight(94).toString(16));
        var issuerName = issuer == null
                ? subject
                : X500Name.getInstance(issuer.getSubjectX500Principal().getEncoded());
        var issuerPublicKey = issuer == null ? key : issuer.getPublicKey();
        try {
            var identifiers = new JcaX509ExtensionUtils();
            var builder = new X509v3CertificateBuilder(
                            issuerName,
                            serial,
                            Date.from(now.minus(LeafProfile.BACKDATED)),
                            Date.from(end),
                            subject,
                            SubjectPublicKeyInfo.getInstance(key.getEncoded()))
                    .addExtension(Extension.basicConstraints, true, new BasicConstraints(authoritiesBelow))
                    .addExtension(Extension.keyUsage, true, new KeyUsage(KeyUsage.keyCertSign | KeyUsage.cRLSign))
                    .addExtension(Extension.subjectKeyIdentifier, false, identifiers.createSubjectKeyIdentifier(key))
                    .addExtension(
                            Extension.authorityKeyIdentifier,
                            false,
                            identifiers.createAuthorityKeyIdentifier(issuerPublicKey));
            var signer = new JcaContentSignerBuilder(Issuer.signatureAlgorithm(issuerKey)).build(issuerKey);
            return new JcaX509CertificateConverter().getCertificate(builder.build(signer));
        } catch (GeneralSecurityException | OperatorCreationException e) {
            throw new IllegalStateException("this Java runtime cannot sign with P-256", e);
        }
    }

    private X509Certificate signer() throws AuthorityException {
        if (makes && Files.exists(directory.resolve(ROOT_KEY))) { // of our own making, not plugged in
            try {
                var besideKey = Pem.certificates(read(CA_KEY));
                if (!besideKey.isEmpty()) {
                    return besideKey.getFirst();
                }
            } catch (GeneralSecurityException e) {
                throw new AuthorityException(file(CA_KEY), e.getMessage() + " (expected: PEM)", e);
            }
        }
        return certificates(CA_CERT).getFirst();
    }

    private List<X509Certificate> chainFile() throws AuthorityException {
        try {
            return Pem.certificates(read(CERT_CHAIN));
        } catch (GeneralSecurityException e) {
            throw new AuthorityException(file(CERT_CHAIN), e.getMessage() + " (expected: PEM certificates)", e);
        }
    }

    private List<X509Certificate> certificates(String file) throws AuthorityException {
        try {
            var certificates = Pem.certificates(read(file));
            if (certificates.isEmpty()) {
                throw new AuthorityException(file(file), "no certificate (expected: a PEM block CERTIFICATE)");
            }
            return certificates;
        } catch (GeneralSecurityException e) {
            throw new AuthorityException(file(file), e.getMessage() + " (expected: PEM certificates)", e);
        }
    }

    private PrivateKey key(String file) throws AuthorityException {
        var key = readKey(file);
        if (!key.getAlgorithm().equals("EC") && !key.getAlgorithm().equals("RSA")) {
            throw new AuthorityException(file(file), "a key of type " + key.getAlgorithm() + " (expected: EC or RSA)");
        }
        return key;
    }

    private PrivateKey readKey(String file) throws AuthorityException {
        try {
            return Pem.privateKey(read(file));
        } catch (GeneralSecurityException e) {
            throw new AuthorityException(
                    file(file), e.getMessage() + " (expected: an unencrypted private key in PEM)", e);
        }
    }

    private String read(String file) throws AuthorityException {
        try {
            return Files.readString(directory.resolve(file));
        } catch (IOException e) {
            throw new AuthorityException(
                    file(file),
                    "cannot be read: " + e + " (expected in " + directory + ": " + CA_CERT + ", " + CA_KEY + ", "
                            + ROOT_CERT + ", and " + CERT_CHAIN + " where there are intermediates)",
                    e);
        }
    }

    private void requireAuthority(String file, X509Certificate certificate) throws AuthorityException {
        var subject = "\"" + certificate.getSubjectX500Principal() + "\"";
        var usage = certificate.getKeyUsage();
        if (certificate.getBasicConstraints() < 0) {
            throw new AuthorityException(
                    file(file), subject + " is not a CA (expected: basic constraints with CA:TRUE)");
        }
        if (usage != null && !usage[5]) { // RFC 5280, 4.2.1.3: bit 5 is keyCertSign
            throw new AuthorityException(
                    file(file), subject + " may not sign certificates (expected: key usage keyCertSign)");
        }
        var now = clock.instant();
        if (!now.isBefore(certificate.getNotAfter().toInstant())) {
            throw new AuthorityException(
                    file(file),
                    subject + " has expired on " + certificate.getNotAfter().toInstant() + " (now: " + now + ")");
        }
        if (now.isBefore(certificate.getNotBefore().toInstant())) {
            throw new AuthorityException(
                    file(file),
                    subject + " is not valid before "
                            + certificate.getNotBefore().toInstant() + " (now: " + now + ")");
        }
        var bits = switch (certificate.getPublicKey()) {
            case RSAPublicKey rsa when rsa.getModulus().bitLength() < LEAST_RSA_BITS -> rsa.getModulus();
            case ECPublicKey ec
            when ec.getParams().getOrder().bitLength() < 256 -> ec.getParams().getOrder();
            default -> null;
        };
        if (bits != null) {
            throw new AuthorityException(
                    file(file),
                    subject + " has a key of " + bits.bitLength()
                            + " bits (expected: RSA with 2048 or more, or P-256 or stronger)");
        }
    }

    /// Signs something and looks whether the certificate verifies it.
    private void requireMatch(PrivateKey key, X509Certificate certificate) throws AuthorityException {
        boolean fits;
        try {
            var proof = BigInteger.valueOf(clock.millis()).toByteArray();
            var signer = Signature.getInstance(Issuer.signatureAlgorithm(key));
            signer.initSign(key);
            signer.update(proof);
            var verifier = Signature.getInstance(Issuer.signatureAlgorithm(key));
            verifier.initVerify(certificate.getPublicKey());
            verifier.update(proof);
            fits = verifier.verify(signer.sign());
        } catch (GeneralSecurityException _) { // for example an RSA key beside an EC certificate
            fits = false;
        }
        if (!fits) {
            throw new AuthorityException(
                    file(CA_KEY),
                    "not the key of \"" + certificate.getSubjectX500Principal() + "\" in " + file(CA_CERT)
                            + " (expected: the private key that belongs to that certificate)");
        }
    }

    /// With what stands between the signer of leaves and a root, and that root.
    private Issuer issuer(
            PrivateKey key, X509Certificate signer, List<X509Certificate> chain, List<X509Certificate> roots)
            throws AuthorityException {
        var path = new ArrayList<X509Certificate>();
        var current = signer;
        // Each round takes one certificate of the chain; the bound only guards against a chain that signs itself round.
        for (int round = 0; round <= chain.size() + 1; round++) {
            if (roots.contains(current)) {
                return new Issuer(key, signer, path, current, roots);
            }
            path.add(current);
            for (var root : roots) {
                if (isSignedBy(current, root)) {
                    return new Issuer(key, signer, path, root, roots);
                }
            }
            X509Certificate above = null;
            for (var candidate : chain) {
                if (!path.contains(candidate) && isSignedBy(current, candidate)) {
                    above = candidate;
                    break;
                }
            }
            if (above == null) {
                break;
            }
            requireAuthority(CERT_CHAIN, above);
            current = above;
        }
        if (current.getIssuerX500Principal().equals(current.getSubjectX500Principal())) {
            throw new AuthorityException(
                    file(CA_CERT),
                    "\"" + signer.getSubjectX500Principal() + "\" was issued under \""
                            + current.getSubjectX500Principal()
                            + "\", which is not in " + file(ROOT_CERT)
                            + " (expected: the signer's root among those that are trusted)");
        }
        throw new AuthorityException(
                file(CA_CERT),
                "\"" + current.getSubjectX500Principal() + "\" was issued by \""
                        + current.getIssuerX500Principal() + "\", which is neither in " + file(CERT_CHAIN) + " nor in "
                        + file(ROOT_CERT) + " (expected: a chain that ends in a root)");
    }

    private static boolean isSignedBy(X509Certificate certificate, X509Certificate issuer) {
        if (!certificate.getIssuerX500Principal().equals(issuer.getSubjectX500Principal())) {
            return false;
        }
        try {
            certificate.verify(issuer.getPublicKey());
            return true;
        } catch (GeneralSecurityException _) { // a namesake with another key
            return false;
        }
    }

    /// All files, not only keys, are for the owner: there is no reader but this process, agents get roots in
    /// answers.
    private void write(String file, String pem) throws IOException {
        var fresh = directory.resolve("." + file + ".new");
        Files.deleteIfExists(fresh);
        try (var out = FileChannel.open(
                fresh,
                Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                PosixFilePermissions.asFileAttribute(OWNER_ONLY))) {
            var bytes = ByteBuffer.wrap(pem.getBytes(StandardCharsets.US_ASCII));
            while (bytes.hasRemaining()) {
                out.write(bytes);
            }
            out.force(true);
        }
        Files.move(fresh, directory.resolve(file), StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        try (var entries = FileChannel.open(directory, StandardOpenOption.READ)) {
            entries.force(true); // makes the rename itself survive a power cut
        }
    }

    private Path file(String name) {
        return directory.resolve(name);
    }
}
