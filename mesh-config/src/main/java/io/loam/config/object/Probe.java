package io.loam.config.object;

import java.time.Duration;
import java.util.List;

/// How a container is asked whether it is well. Defaults and least values are Kubernetes'.
///
/// @param initialDelay after the start of the container; 0 s by default
/// @param period 10 s by default
/// @param timeout of one attempt; 1 s by default
/// @param successThreshold attempts in a row that count as well again; 1 by default
/// @param failureThreshold attempts in a row that count as failed; 3 by default
public record Probe(
        Action action,
        Duration initialDelay,
        Duration period,
        Duration timeout,
        int successThreshold,
        int failureThreshold) {
    public sealed interface Action {}

    /// Well when it exits with 0; runs in the pod.
    public record Exec(List<String> command) implements Action {
        public Exec {
            command = List.copyOf(command);
        }
    }

    /// Well when the status is 200 to 399.
    ///
    /// @param host "" = the pod's address
    public record HttpGet(PortRef port, String path, String host, Scheme scheme, List<Header> headers)
            implements Action {
        public HttpGet {
            headers = List.copyOf(headers);
        }

        public enum Scheme {
            HTTP,
            HTTPS
        }

        public record Header(String name, String value) {}
    }

    /// Well when it accepts a connection.
    ///
    /// @param host "" = the pod's address
    public record TcpSocket(PortRef port, String host) implements Action {}
}
