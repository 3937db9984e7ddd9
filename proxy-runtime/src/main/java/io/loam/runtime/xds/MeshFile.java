package io.loam.runtime.xds;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.protocol.proto.workload.Address;
import io.loam.protocol.xds.AuthorizationMapping;
import io.loam.protocol.xds.ResourceNames;
import io.loam.protocol.xds.ServiceMapping;
import io.loam.protocol.xds.WorkloadMapping;
import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UTFDataFormatException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.DigestInputStream;
import java.security.DigestOutputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/// A file with the mesh as the control plane told it last (hazard P6). It is replaced as a whole and belongs to
/// its owner alone, who is the agent: it says who may call whom.
///
/// | Bytes | What |
/// | --- | --- |
/// | 8 | `loammesh` |
/// | 4 | {@value #FORMAT}, the version of all that follows |
/// | 8 | milliseconds since 1970 at which it was as the control plane said |
/// | 2 + n | which control plane that was, and for which node |
/// | (4 + n) … | length and bytes of a `Resource` as in delta ADS, its version left out |
/// | 4 | 0 |
/// | 4 | number of resources |
/// | 32 | SHA-256 of everything before |
///
/// It is used in full or not at all: a mesh without some of its policies would let in whom they keep out. Not
/// thread-safe, blocks.
final class MeshFile {
    static final int FORMAT = 1;

    private static final byte[] MAGIC = {'l', 'o', 'a', 'm', 'm', 'e', 's', 'h'};
    private static final String NAME = "mesh";
    private static final String UNFINISHED = ".unfinished";
    private static final int DIGEST_BYTES = 32;
    private static final int BUFFER_BYTES = 64 << 10;

    /// What clocks of one node differ by before and after it was set; hazard I11 asks for 2 min elsewhere.
    private static final Duration CLOCK_SKEW = Duration.ofMinutes(2);

    private static final Set<PosixFilePermission> OWNER_ONLY = PosixFilePermissions.fromString("rw-------");

    private final Path file;
    private final String origin;
    private final Duration maxAge;
    private final Set<String> rootNamespaces;

    /// @param directory exists
    /// @param origin the control plane and the node; a file of another origin is not used
    /// @param maxAge a file that is older is not used
    /// @param rootNamespaces whose policies may govern the whole mesh
    MeshFile(Path directory, String origin, Duration maxAge, Set<String> rootNamespaces) {
        this.file = directory.resolve(NAME);
        this.origin = origin;
        this.maxAge = maxAge;
        this.rootNamespaces = Set.copyOf(rootNamespaces);
    }

    Path path() {
        return file;
    }

    // --- writing ---

    /// Puts `mesh` in the place of what is there. Whoever dies on the way leaves what was there.
    ///
    /// @param asOf see {@link SavedMesh}
    void write(MeshSnapshot mesh, Instant asOf) throws IOException {
        var own = ProcessHandle.current().pid();
        var fresh = file.resolveSibling(NAME + "." + own + UNFINISHED);
        Files.deleteIfExists(fresh); // of a predecessor with our number
        try {
            try (var channel = FileChannel.open(
                    fresh,
                    EnumSet.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE),
                    PosixFilePermissions.asFileAttribute(OWNER_ONLY))) {
                var digest = sha256();
                var out = new BufferedOutputStream(Channels.newOutputStream(channel), BUFFER_BYTES);
                writeContent(new DigestOutputStream(out, digest), mesh, asOf);
                out.write(digest.digest());
                out.flush();
                channel.force(true); // the rename must not reach the disk before what it names
            }
            Files.move(fresh, file, StandardCopyOption.ATOMIC_MOVE);
        } finally {
            Files.deleteIfExists(fresh);
        }
    }

    private void writeContent(OutputStream to, MeshSnapshot mesh, Instant asOf) throws IOException {
        var out = new DataOutputStream(to);
        out.write(MAGIC);
        out.writeInt(FORMAT);
        out.writeLong(asOf.toEpochMilli());
        out.writeUTF(origin);
        int count = 0;
        for (var service : mesh.services()) {
            var message = Address.newBuilder().setService(ServiceMapping.toProto(service));
            write(
                    out,
                    ResourceType.ADDRESS,
                    ResourceNames.of(service),
                    message.build().toByteString());
            count++;
        }
        for (var workload : mesh.workloads()) {
            var message = Address.newBuilder().setWorkload(WorkloadMapping.toProto(workload));
            write(
                    out,
                    ResourceType.ADDRESS,
                    ResourceNames.of(workload),
                    message.build().toByteString());
            count++;
        }
        for (var policy : mesh.policies()) {
            var message = AuthorizationMapping.toProto(policy);
            write(out, ResourceType.AUTHORIZATION, ResourceNames.of(policy), message.toByteString());
            count++;
        }
        out.writeInt(0);
        out.writeInt(count);
        out.flush();
    }

    private static void write(DataOutputStream out, ResourceType type, String name, ByteString bytes)
            throws IOException {
        var resource = Resource.newBuilder()
                .setName(name)
                .setResource(Any.newBuilder().setTypeUrl(type.url()).setValue(bytes))
                .build();
        out.writeInt(resource.getSerializedSize());
        resource.writeTo(out);
    }

    /// Removes what processes that are gone had begun to write.
    void removeUnfinished() throws IOException {
        try (var files = Files.newDirectoryStream(file.resolveSibling(""), NAME + ".*" + UNFINISHED)) {
            for (var left : files) {
                var pid = left.getFileName().toString();
                pid = pid.substring(NAME.length() + 1, pid.length() - UNFINISHED.length());
                if (pid.matches("[0-9]{1,18}")
                        && ProcessHandle.of(Long.parseLong(pid)).isEmpty()) {
                    Files.deleteIfExists(left);
                }
            }
        }
    }

    // --- reading ---

    /// @param now of the wall clock
    /// @return empty if there is none
    /// @throws UnusableMeshException if it is not to be used
    Optional<SavedMesh> read(Instant now) throws IOException, UnusableMeshException {
        FileChannel channel;
        try {
            requireOwn(Files.readAttributes(file, PosixFileAttributes.class, LinkOption.NOFOLLOW_LINKS));
            channel = FileChannel.open(file);
        } catch (NoSuchFileException _) {
            return Optional.empty();
        }
        try (channel) {
            long content = channel.size() - DIGEST_BYTES;
            requireWhole(channel, content);
            channel.position(0);
            return Optional.of(readContent(
                    new DataInputStream(new BufferedInputStream(Channels.newInputStream(channel), BUFFER_BYTES)),
                    content,
                    now));
        } catch (UTFDataFormatException e) {
            throw new UnusableMeshException("damaged: " + e.getMessage());
        }
    }

    /// Who could write it could say who may call whom.
    private static void requireOwn(PosixFileAttributes attributes) throws UnusableMeshException {
        if (!attributes.isRegularFile() || !OWNER_ONLY.containsAll(attributes.permissions())) {
            throw new UnusableMeshException("mode " + PosixFilePermissions.toString(attributes.permissions())
                    + " (expected: a file that its owner alone can read and write)");
        }
    }

    /// Before anything of it is believed.
    private static void requireWhole(FileChannel channel, long contentBytes) throws IOException, UnusableMeshException {
        if (contentBytes <= 0) {
            throw new UnusableMeshException("damaged: " + channel.size() + " bytes");
        }
        var digest = sha256();
        InputStream in = new BufferedInputStream(Channels.newInputStream(channel), BUFFER_BYTES);
        var digesting = new DigestInputStream(in, digest);
        var piece = new byte[BUFFER_BYTES];
        for (long left = contentBytes; left > 0; ) {
            int read = digesting.read(piece, 0, (int) Math.min(left, piece.length));
            if (read < 0) {
                throw new UnusableMeshException("damaged: it became shorter while it was read");
            }
            left -= read;
        }
        if (!Arrays.equals(in.readNBytes(DIGEST_BYTES), digest.digest())) {
            throw new UnusableMeshException("damaged: its checksum does not fit");
        }
    }

    private SavedMesh readContent(DataInputStream in, long contentBytes, Instant now)
            throws IOException, UnusableMeshException {
        if (!Arrays.equals(in.readNBytes(MAGIC.length), MAGIC)) {
            throw new UnusableMeshException("not a mesh");
        }
        int format = in.readInt();
        if (format != FORMAT) {
            throw new UnusableMeshException("version " + format + " (expected: " + FORMAT + ")");
        }
        var asOf = Instant.ofEpochMilli(in.readLong());
        requireAge(asOf, now);
        var from = in.readUTF();
        if (!from.equals(origin)) {
            throw new UnusableMeshException("of " + from + " (expected: " + origin + ")");
        }
        var readings = new EnumMap<ResourceType, DeltaReading>(ResourceType.class);
        var names = new EnumMap<ResourceType, Set<String>>(ResourceType.class);
        int count = 0;
        for (int length = in.readInt(); length != 0; length = in.readInt(), count++) {
            if (length < 0 || length > contentBytes) {
                throw new UnusableMeshException("damaged: a resource of " + length + " bytes");
            }
            take(resource(in.readNBytes(length)), readings, names);
        }
        if (in.readInt() != count) {
            throw new UnusableMeshException("damaged: " + count + " resources");
        }
        var mesh = MeshSnapshot.EMPTY;
        for (var reading : readings.values()) {
            mesh = mesh.apply(reading.delta());
        }
        return new SavedMesh(asOf, mesh, names);
    }

    private void take(Resource resource, Map<ResourceType, DeltaReading> readings, Map<ResourceType, Set<String>> names)
            throws UnusableMeshException {
        var type = ResourceType.of(resource.getResource().getTypeUrl())
                .orElseThrow(() -> new UnusableMeshException(
                        "a resource of type " + resource.getResource().getTypeUrl()));
        var reading = readings.computeIfAbsent(type, of -> new DeltaReading(of, rootNamespaces));
        if (reading.read(resource, false) != DeltaReading.Result.TAKEN) {
            throw new UnusableMeshException(String.join("; ", reading.problems()));
        }
        names.computeIfAbsent(type, _ -> new HashSet<>()).add(resource.getName());
    }

    private static Resource resource(byte[] bytes) throws UnusableMeshException {
        try {
            return Resource.parseFrom(bytes);
        } catch (InvalidProtocolBufferException e) {
            throw new UnusableMeshException("damaged: " + e.getMessage());
        }
    }

    private void requireAge(Instant asOf, Instant now) throws UnusableMeshException {
        var age = Duration.between(asOf, now);
        if (age.compareTo(maxAge) > 0) {
            throw new UnusableMeshException("as of " + asOf + ", " + age.toSeconds() + " s old (expected: at most "
                    + maxAge.toSeconds() + " s)");
        }
        if (age.negated().compareTo(CLOCK_SKEW) > 0) {
            throw new UnusableMeshException("as of " + asOf + ", which is to come");
        }
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e); // every Java has it
        }
    }
}
