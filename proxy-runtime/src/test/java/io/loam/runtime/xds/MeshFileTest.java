package io.loam.runtime.xds;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.protocol.proto.workload.NetworkAddress;
import io.loam.protocol.proto.workload.Port;
import io.loam.protocol.proto.workload.PortList;
import io.loam.protocol.proto.workload.Service;
import io.loam.protocol.proto.workload.TunnelProtocol;
import io.loam.protocol.proto.workload.Workload;
import io.loam.protocol.xds.ServiceMapping;
import io.loam.protocol.xds.WorkloadMapping;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Hazard P6: what is read back is what was written, or nothing.
class MeshFileTest {
    static final Instant NOW = Instant.parse("2026-03-01T12:00:00Z");
    private static final String ORIGIN = "https://cp.test:15012, node one of Kubernetes";
    private static final Duration DAY = Duration.ofHours(24);

    @TempDir
    private Path folder = Path.of("");

    private MeshFile file;

    @BeforeEach
    void open() {
        file = file(ORIGIN);
    }

    private MeshFile file(String origin) {
        return new MeshFile(folder, origin, DAY, Set.of("loam-system"));
    }

    static MeshSnapshot mesh(int workloads) {
        var service = Service.newBuilder()
                .setName("cart")
                .setNamespace("shop")
                .setHostname("cart.shop.svc.cluster.local")
                .addAddresses(NetworkAddress.newBuilder().setAddress(ByteString.copyFrom(new byte[] {10, 96, 0, 1})))
                .addPorts(Port.newBuilder().setServicePort(80).setTargetPort(8080))
                .build();
        var pods = IntStream.range(0, workloads)
                .mapToObj(i -> WorkloadMapping.toModel(Workload.newBuilder()
                        .setUid("Kubernetes//Pod/shop/cart-" + i)
                        .setName("cart-" + i)
                        .setNamespace("shop")
                        .setServiceAccount("cart")
                        .setTunnelProtocol(TunnelProtocol.HBONE)
                        .addAddresses(ByteString.copyFrom(new byte[] {10, 1, (byte) (i >> 8), (byte) i}))
                        .putServices("shop/cart.shop.svc.cluster.local", PortList.getDefaultInstance())
                        .addAuthorizationPolicies("shop/closed")
                        .build()))
                .toList();
        var policy = new AuthorizationPolicy(
                "closed", "shop", Scope.WORKLOAD_SELECTOR, Action.DENY, List.of(new Rule(List.of())), false);
        return MeshSnapshot.EMPTY.apply(MeshDelta.of(pods, List.of(ServiceMapping.toModel(service)), List.of(policy)));
    }

    @Test
    void bringsTheMeshBack() throws Exception {
        var mesh = mesh(3);
        file.write(mesh, NOW);

        var saved = file.read(NOW.plusSeconds(30)).orElseThrow();

        assertThat(saved.asOf()).isEqualTo(NOW);
        assertThat(saved.mesh().workloads()).containsExactlyInAnyOrderElementsOf(mesh.workloads());
        assertThat(saved.mesh().services()).containsExactlyElementsOf(mesh.services());
        assertThat(saved.mesh().policies()).containsExactlyElementsOf(mesh.policies());
        assertThat(saved.names(ResourceType.ADDRESS))
                .containsExactlyInAnyOrder(
                        "shop/cart.shop.svc.cluster.local",
                        "Kubernetes//Pod/shop/cart-0",
                        "Kubernetes//Pod/shop/cart-1",
                        "Kubernetes//Pod/shop/cart-2");
        assertThat(saved.names(ResourceType.AUTHORIZATION)).containsExactly("shop/closed");
    }

    @Test
    void bringsAnEmptyMeshBack() throws Exception {
        file.write(MeshSnapshot.EMPTY, NOW);
        assertThat(file.read(NOW).orElseThrow().mesh().workloads()).isEmpty();
    }

    @Test
    void thereMayBeNone() throws Exception {
        assertThat(file.read(NOW)).isEmpty();
    }

    /// Whoever reads or writes it knows, or says, who may call whom.
    @Test
    void isItsOwnersAlone() throws Exception {
        file.write(mesh(1), NOW);
        assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file.path())))
                .isEqualTo("rw-------");

        Files.setPosixFilePermissions(file.path(), PosixFilePermissions.fromString("rw-rw----"));
        assertUnusable("rw-rw----");
        Files.setPosixFilePermissions(file.path(), PosixFilePermissions.fromString("rw-------"));
        Files.move(file.path(), folder.resolve("elsewhere"));
        Files.createSymbolicLink(file.path(), folder.resolve("elsewhere"));
        assertUnusable("a file that its owner alone");
    }

    @Test
    void replacesTheOneBeforeAndLeavesNothingElse() throws Exception {
        file.write(mesh(2), NOW);
        file.write(mesh(1), NOW.plusSeconds(1));
        assertThat(file.read(NOW).orElseThrow().mesh().workloads()).hasSize(1);
        assertThat(folder).isDirectoryContaining("glob:**/mesh");
        try (var files = Files.list(folder)) {
            assertThat(files).hasSize(1);
        }
    }

    @Test
    void removesWhatProcessesThatAreGoneHadBegun() throws Exception {
        long pid = ProcessHandle.current().pid();
        long nobody = 4_194_304; // one above the largest that Linux gives
        var ofTheDead = Files.writeString(folder.resolve("mesh." + nobody + ".unfinished"), "half");
        var ofTheLiving = Files.writeString(folder.resolve("mesh." + pid + ".unfinished"), "half");

        file.removeUnfinished();

        assertThat(ofTheDead).doesNotExist();
        assertThat(ofTheLiving).exists();
    }

    /// Each byte, one after the other, and each length that is too short.
    @Test
    void isNotUsedWhenAnyByteIsWrongOrMissing() throws Exception {
        file.write(mesh(2), NOW);
        var good = Files.readAllBytes(file.path());
        for (int i = 0; i < good.length; i++) {
            var flipped = good.clone();
            flipped[i] ^= 0x10;
            Files.write(file.path(), flipped);
            assertUnusable("damaged");
            Files.write(file.path(), Arrays.copyOf(good, i));
            assertUnusable("damaged");
        }
        Files.write(file.path(), Arrays.copyOf(good, good.length + 1));
        assertUnusable("damaged");
        System.out.printf(
                "hazard P6: a mesh on disk of %d bytes, each byte wrong and each shorter length: %d of %d refused%n",
                good.length, 2 * good.length, 2 * good.length);
    }

    @Test
    void isNotUsedInAnotherVersion() throws Exception {
        file.write(mesh(1), NOW);
        rewrite(content -> ByteBuffer.wrap(content).putInt(8, MeshFile.FORMAT + 1));
        assertUnusable("version 2 (expected: 1)");
        rewrite(content -> content[0] = 'L');
        assertUnusable("not a mesh");
    }

    @Test
    void isNotUsedWhenItIsOldOrOfTomorrow() throws Exception {
        file.write(mesh(1), NOW);
        assertThat(file.read(NOW.plus(DAY))).isPresent();
        assertThatThrownBy(() -> file.read(NOW.plus(DAY).plusSeconds(1)))
                .isInstanceOf(UnusableMeshException.class)
                .hasMessage("as of 2026-03-01T12:00:00Z, 86401 s old (expected: at most 86400 s)");
        assertThat(file.read(NOW.minusSeconds(60))).isPresent();
        assertThatThrownBy(() -> file.read(NOW.minusSeconds(121)))
                .isInstanceOf(UnusableMeshException.class)
                .hasMessageContaining("is to come");
    }

    @Test
    void isNotUsedForAnotherNodeOrControlPlane() throws Exception {
        file("https://cp.test:15012, node two of Kubernetes").write(mesh(1), NOW);
        assertUnusable("of https://cp.test:15012, node two of Kubernetes (expected: " + ORIGIN + ")");
    }

    /// One that is left out could be the one that keeps somebody out.
    @ParameterizedTest
    @ValueSource(strings = {"shop/closed", "Kubernetes//Pod/shop/cart-0"})
    void isNotUsedWithoutAResourceThatCannotBeRead(String name) throws Exception {
        file.write(mesh(1), NOW);
        rewrite(content -> {
            var text = new String(content, StandardCharsets.ISO_8859_1);
            int value = text.lastIndexOf("type.googleapis", text.lastIndexOf(name)); // the name comes last
            int bytes = text.indexOf(name.contains("Pod") ? "Kubernetes//" : "closed", value);
            content[bytes - 2] = (byte) 0xff; // the tag of the field
        });
        assertUnusable(name);
    }

    /// With a checksum that fits.
    private void rewrite(Consumer<byte[]> change) throws Exception {
        var bytes = Files.readAllBytes(file.path());
        var content = Arrays.copyOf(bytes, bytes.length - 32);
        change.accept(content);
        var digest = MessageDigest.getInstance("SHA-256").digest(content);
        System.arraycopy(content, 0, bytes, 0, content.length);
        System.arraycopy(digest, 0, bytes, content.length, digest.length);
        Files.write(file.path(), bytes);
    }

    private void assertUnusable(String reason) throws IOException {
        assertThatThrownBy(() -> file.read(NOW))
                .isInstanceOf(UnusableMeshException.class)
                .hasMessageContaining(reason);
    }
}
