package io.loam.lab.control;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.config.ConfigReader;
import io.loam.config.object.MeshObject;
import io.loam.config.object.ServiceObject;
import java.net.InetAddress;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;

final class ServiceAddressesTest {
    private final ServiceAddresses addresses = new ServiceAddresses();

    @Test
    void givesAddressesByWhatIsWritten() {
        assertThat(complete(
                        service("plain", ""),
                        service("six", "ipFamilies: [IPv6]"),
                        service("both", "ipFamilyPolicy: PreferDualStack"),
                        service("sixFirst", "ipFamilyPolicy: RequireDualStack, ipFamilies: [IPv6]"),
                        service("own", "clusterIP: 10.96.5.5"),
                        service("headless", "clusterIP: None"),
                        service("elsewhere", "type: ExternalName, externalName: example.com")))
                .containsExactly(
                        Map.entry("plain", "10.96.1.0"),
                        Map.entry("six", "fd00:96:0:0:0:0:0:101"),
                        Map.entry("both", "10.96.1.2 fd00:96:0:0:0:0:0:103"),
                        Map.entry("sixfirst", "fd00:96:0:0:0:0:0:104 10.96.1.5"),
                        Map.entry("own", "10.96.5.5"),
                        Map.entry("headless", ""),
                        Map.entry("elsewhere", ""));
    }

    @Test
    void aServiceKeepsItsAddressAsLongAsItIsWritten() {
        complete(service("a", ""), service("b", ""));

        assertThat(complete(service("c", ""), service("b", "")))
                .containsExactly(Map.entry("c", "10.96.1.2"), Map.entry("b", "10.96.1.1"));
        assertThat(complete(service("a", ""))).as("written again").containsExactly(Map.entry("a", "10.96.1.3"));
    }

    /// Whoever asks for an address by name gets it, and nobody else does, wherever it stands in the files.
    @Test
    void givesNobodyAnAddressThatIsAskedFor() {
        assertThat(complete(service("a", ""), service("b", "clusterIP: 10.96.1.0")))
                .containsExactly(Map.entry("a", "10.96.1.1"), Map.entry("b", "10.96.1.0"));
    }

    private Map<String, String> complete(String... services) {
        List<MeshObject> read = new ConfigReader()
                .readText(String.join("---\n", services), Path.of("test.yaml"))
                .objects();
        var byName = new LinkedHashMap<String, String>();
        for (var object : addresses.complete(read)) {
            var service = (ServiceObject) object;
            byName.put(
                    service.meta().name(),
                    String.join(
                            " ",
                            service.clusterIps().stream()
                                    .map(InetAddress::getHostAddress)
                                    .toList()));
        }
        return byName;
    }

    private static String service(String name, String more) {
        return """
                apiVersion: v1
                kind: Service
                metadata: {name: %s, namespace: shop}
                spec: {ports: [{port: 80}]%s}
                """.formatted(name.toLowerCase(Locale.ROOT), more.isEmpty() ? "" : ", " + more);
    }
}
