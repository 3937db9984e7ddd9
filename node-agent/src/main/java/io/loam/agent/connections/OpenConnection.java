package io.loam.agent.connections;

import io.loam.agent.pod.LocalPod;
import io.loam.model.policy.ConnectionAttributes;
import io.netty.channel.EventLoop;
import org.jspecify.annotations.Nullable;

/// A connection as the registry sees it; compared by identity.
public final class OpenConnection {
    private final LocalPod pod;
    private final ConnectionReport report;
    private final @Nullable ConnectionAttributes attributes;
    private final EventLoop loop;
    private final Abort abort;

    /// @param attributes what policies look at; null for outbound connections, which no policy of this side governs
    /// @param abort ends the connection; called on `loop`
    public OpenConnection(
            LocalPod pod,
            ConnectionReport report,
            @Nullable ConnectionAttributes attributes,
            EventLoop loop,
            Abort abort) {
        this.pod = pod;
        this.report = report;
        this.attributes = attributes;
        this.loop = loop;
        this.abort = abort;
    }

    public LocalPod pod() {
        return pod;
    }

    public ConnectionReport report() {
        return report;
    }

    public @Nullable ConnectionAttributes attributes() {
        return attributes;
    }

    /// Any thread.
    void cut(ErrorCode code, String reason) {
        loop.execute(() -> abort.abort(code, reason));
    }

    /// Ends a connection, whatever state it is in.
    @FunctionalInterface
    public interface Abort {
        void abort(ErrorCode code, String reason);
    }
}
