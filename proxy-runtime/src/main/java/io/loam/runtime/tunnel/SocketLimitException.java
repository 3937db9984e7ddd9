package io.loam.runtime.tunnel;

import java.io.IOException;
import java.io.Serial;

/// The workload or the node holds all the sockets it may: a limit of ours, not a failure of the network.
public final class SocketLimitException extends IOException {
    @Serial
    private static final long serialVersionUID = 1;

    public SocketLimitException() {
        super("too many open connections");
    }
}
