package io.loam.runtime.grpc;

import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.loam.runtime.config.UpstreamConfig;
import io.loam.runtime.config.UpstreamConfig.BearerToken;
import java.io.IOException;
import java.nio.file.Files;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Adds the bearer token and the cluster to each call. A token file is read anew, because kubelet replaces it long
/// before it expires.
final class UpstreamCredentials implements ClientInterceptor {
    private static final Logger log = LoggerFactory.getLogger(UpstreamCredentials.class);
    private static final Metadata.Key<String> AUTHORIZATION = key("authorization");
    private static final Metadata.Key<String> CLUSTER = key("clusterid");

    private final UpstreamConfig upstream;

    UpstreamCredentials(UpstreamConfig upstream) {
        this.upstream = upstream;
    }

    @Override
    public <Q, A> ClientCall<Q, A> interceptCall(MethodDescriptor<Q, A> method, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
            @Override
            public void start(Listener<A> listener, Metadata headers) {
                var token = token(upstream.token());
                if (token != null) {
                    headers.put(AUTHORIZATION, "Bearer " + token);
                }
                headers.put(CLUSTER, upstream.clusterId());
                upstream.headers().forEach((name, value) -> headers.put(key(name), value));
                super.start(listener, headers);
            }
        };
    }

    /// Without a readable token the call goes out unauthenticated and the server says so: one place reports it.
    private static @Nullable String token(@Nullable BearerToken token) {
        return switch (token) {
            case null -> null;
            case BearerToken.Literal(var value) -> value.strip();
            case BearerToken.File(var path) -> {
                try {
                    yield Files.readString(path).strip();
                } catch (IOException e) {
                    log.warn("token file cannot be read, calling without it file={}", path, e);
                    yield null;
                }
            }
        };
    }

    private static Metadata.Key<String> key(String name) {
        return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
    }
}
