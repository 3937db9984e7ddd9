package io.loam.controlplane.xds;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/// The resources in force and the streams that are told about them. One thread publishes, all may read.
public final class MeshPublication {
    private final Set<ProxyStream> streams = ConcurrentHashMap.newKeySet();
    private final LongAdder responses = new LongAdder();
    private final LongAdder resources = new LongAdder();
    private final LongAdder rejections = new LongAdder();
    private volatile @Nullable MeshResources current;

    /// @return null before the first publication
    public @Nullable MeshResources current() {
        return current;
    }

    /// Makes `next` the state of the mesh and sends every proxy what it does not have yet.
    public void publish(MeshResources next) {
        current = next;
        streams.forEach(ProxyStream::pump);
    }

    /// The proxies that have introduced themselves.
    public List<ProxyStatus> proxies() {
        var proxies = new ArrayList<ProxyStatus>();
        for (var stream : streams) {
            var status = stream.status();
            if (status != null) {
                proxies.add(status);
            }
        }
        return proxies;
    }

    public long responses() {
        return responses.sum();
    }

    public long resourcesSent() {
        return resources.sum();
    }

    public long rejections() {
        return rejections.sum();
    }

    void add(ProxyStream stream) {
        streams.add(stream);
    }

    void remove(ProxyStream stream) {
        streams.remove(stream);
    }

    int streams() {
        return streams.size();
    }

    void countResponse(int resourceCount) {
        responses.increment();
        resources.add(resourceCount);
    }

    void countRejection() {
        rejections.increment();
    }
}
