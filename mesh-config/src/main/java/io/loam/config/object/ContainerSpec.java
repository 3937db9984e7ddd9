package io.loam.config.object;

import java.util.List;
import org.jspecify.annotations.Nullable;

/// One process of a pod. The image is read past: the lab runs programs of this machine.
///
/// @param command never empty for a pod that can run; `$(VAR)` not yet expanded, see {@link ContainerEnvironment}
/// @param workingDir "" = the pod's own
/// @param liveness failing = restart; null = none
/// @param readiness failing = no traffic; null = ready when started
/// @param startup the other two wait for it; null = none
public record ContainerSpec(
        String name,
        List<String> command,
        List<String> args,
        List<EnvVar> env,
        String workingDir,
        List<ContainerPort> ports,
        @Nullable Probe liveness,
        @Nullable Probe readiness,
        @Nullable Probe startup) {
    public ContainerSpec {
        command = List.copyOf(command);
        args = List.copyOf(args);
        env = List.copyOf(env);
        ports = List.copyOf(ports);
    }

    /// A port the container says it listens on; naming it lets services and probes refer to it.
    ///
    /// @param name "" = not named
    public record ContainerPort(String name, int containerPort, TransportProtocol protocol) {}

    /// An environment variable.
    public record EnvVar(String name, Value value) {
        public sealed interface Value {}

        /// @param text `$(VAR)` not yet expanded
        public record Literal(String text) implements Value {}

        /// @param path for example `metadata.name`, `status.podIP` or `metadata.labels['app']`
        public record FieldRef(String path) implements Value {}
    }
}
