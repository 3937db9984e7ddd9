package io.loam.lab.process;

import java.io.IOException;
import java.nio.channels.SocketChannel;

/// Opens sockets in the network namespace of the pod's node, from where Kubernetes probes pods.
@FunctionalInterface
public interface NodeSockets {
    /// @return blocking, not connected; the caller's to close
    SocketChannel open() throws IOException;
}
