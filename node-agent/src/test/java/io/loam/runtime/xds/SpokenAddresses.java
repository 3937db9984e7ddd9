package io.loam.runtime.xds;

import io.loam.protocol.proto.discovery.DeltaDiscoveryResponse;
import io.loam.protocol.proto.discovery.Resource;
import java.util.ArrayList;
import java.util.List;

/// In the place of {@link XdsClient}, for tests of those who wait: says what a control plane would. What it
/// speaks about is put into the mesh by the test, before.
public final class SpokenAddresses {
    private final AddressDemand demand;
    private final List<String> asked = new ArrayList<>();

    public SpokenAddresses(AddressDemand demand) {
        this.demand = demand;
        demand.attach(() -> {});
    }

    /// All names that it was asked for so far.
    public List<String> asked() {
        asked.addAll(demand.unsent());
        return List.copyOf(asked);
    }

    /// Somebody has the name.
    public void has(String name) {
        say(DeltaDiscoveryResponse.newBuilder()
                .addResources(Resource.newBuilder().setName(name))
                .build());
    }

    /// Nobody has it.
    public void hasNot(String name) {
        say(DeltaDiscoveryResponse.newBuilder().addRemovedResources(name).build());
    }

    /// A resource leads to this name.
    public void leadsTo(String name) {
        demand.refer(name);
    }

    private void say(DeltaDiscoveryResponse response) {
        demand.heard(response, _ -> true);
        demand.published();
    }
}
