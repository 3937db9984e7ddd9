package io.loam.lab.node;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;

/// How the agents of a lab are started, where that is not as in production.
///
/// @param environment what agents read from their environment besides what the lab sets, or instead of it
/// @param jvmOptions of our agents' JVM; they come last and so win over [io.loam.agent.AgentJvm]
/// @param programs node → the executable that stands in for our agent there. It is started in the node's network
///     namespace without arguments and must become the proxy itself (a script by `exec`). Its environment has the names
///     of the wire reference, section 11: `NODE_NAME`, `POD_NAME`, `POD_NAMESPACE`, `SERVICE_ACCOUNT`, `INSTANCE_IP`,
///     `XDS_ADDRESS`, `CA_ADDRESS`, `XDS_ROOT_CA`, `CA_ROOT_CA` (files), `AUTH_TOKEN` (a file that is renewed),
///     `INPOD_UDS`, and `PATH`; nothing else is inherited
public record AgentSetup(Map<String, String> environment, List<String> jvmOptions, Map<String, Path> programs) {
    public static final AgentSetup DEFAULT = new AgentSetup(Map.of(), List.of(), Map.of());

    /// Whether the agents listen for DNS, as they do unless told otherwise; if not, pods ask the cluster's
    /// name server.
    boolean dnsCapture() {
        return !"false".equals(environment.get("ISTIO_META_DNS_CAPTURE"));
    }

    public AgentSetup {
        environment = Map.copyOf(environment);
        jvmOptions = List.copyOf(jvmOptions);
        programs = Map.copyOf(programs);
    }
}
