package io.loam.runtime.xds;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.protocol.proto.discovery.Resource;
import io.loam.runtime.xds.DeltaReading.Result;
import java.util.Arrays;
import java.util.Set;

/// Resources of a control plane as any bytes (hazard I19): each is taken, or it is named and what refuses in its place
/// is
/// taken; what was read makes a mesh. An exception of ours that [DeltaReading] had to catch is a finding. Each build
/// runs
/// what lies in the resources beside this class; CONTRIBUTING says how to look for more.
class OutsideBytesFuzzTest {
    @FuzzTest(maxDuration = "10m")
    void address(byte[] input) {
        read(ResourceType.ADDRESS, "cluster//Pod/shop/cart", input);
    }

    @FuzzTest(maxDuration = "10m")
    void authorization(byte[] input) {
        read(ResourceType.AUTHORIZATION, "shop/watchman", input);
    }

    /// @param input first byte: whether a good version is in force; the rest: the resource
    private static void read(ResourceType type, String name, byte[] input) {
        boolean lastGood = input.length > 0 && (input[0] & 1) == 1;
        var bytes = ByteString.copyFrom(Arrays.copyOfRange(input, Math.min(1, input.length), input.length));
        var resource = Resource.newBuilder()
                .setName(name)
                .setResource(Any.newBuilder().setTypeUrl(type.url()).setValue(bytes))
                .build();
        var reading = new DeltaReading(type, Set.of("istio-system"));

        var result = reading.read(resource, lastGood);

        assertThat(result).isNotEqualTo(lastGood ? Result.REPLACED : Result.KEPT_LAST_GOOD);
        assertThat(reading.problems()).hasSize(result == Result.TAKEN ? 0 : 1);
        assertThat(reading.problems())
                .allSatisfy(problem ->
                        assertThat(problem).doesNotContain("java.lang.").doesNotContain("java.util."));
        var mesh = MeshSnapshot.EMPTY.apply(reading.delta());
        mesh.workloads()
                .forEach(workload -> assertThat(mesh.policiesFor(workload)).isNotNull());
        if (type == ResourceType.AUTHORIZATION && result == Result.REPLACED) {
            assertThat(reading.delta()).isNotNull();
        }
    }
}
