package io.loam.config.object;

import io.loam.config.object.ContainerSpec.ContainerPort;
import java.util.List;
import java.util.OptionalInt;

/// A port by number, or by the name a container gives it.
public sealed interface PortRef {
    /// @param port 1 to 65535
    record Numbered(int port) implements PortRef {
        @Override
        public String toString() {
            return Integer.toString(port);
        }
    }

    record Named(String name) implements PortRef {
        @Override
        public String toString() {
            return name;
        }
    }

    /// The number, looked up among the ports of one pod where it is a name; empty where no port bears the name for that
    /// protocol.
    default OptionalInt resolve(PodSpec pod, TransportProtocol protocol) {
        return switch (this) {
            case Numbered(int port) -> OptionalInt.of(port);
            case Named(String name) ->
                pod.containers().stream()
                        .flatMap(container -> container.ports().stream())
                        .filter(port -> port.name().equals(name) && port.protocol() == protocol)
                        .mapToInt(ContainerPort::containerPort)
                        .findFirst();
        };
    }

    /// As {@link #resolve(PodSpec, TransportProtocol)}, among the ports of one container: what probes refer to.
    default OptionalInt resolve(List<ContainerPort> ports) {
        return switch (this) {
            case Numbered(int port) -> OptionalInt.of(port);
            case Named(String name) ->
                ports.stream()
                        .filter(port -> port.name().equals(name))
                        .mapToInt(ContainerPort::containerPort)
                        .findFirst();
        };
    }
}
