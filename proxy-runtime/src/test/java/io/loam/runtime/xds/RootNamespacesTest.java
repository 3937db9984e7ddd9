package io.loam.runtime.xds;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class RootNamespacesTest {
    /// As the lab and the charts install it: an agent that cannot take this does not start.
    @Test
    void theProxyMayRunInOneOfThem() {
        assertThat(XdsClient.rootNamespaces("loam-system")).containsExactlyInAnyOrder("istio-system", "loam-system");
        assertThat(XdsClient.rootNamespaces("mesh")).containsExactlyInAnyOrder("istio-system", "loam-system", "mesh");
    }
}
