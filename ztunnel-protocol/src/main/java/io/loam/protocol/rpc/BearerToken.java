package io.loam.protocol.rpc;

import io.grpc.Context;
import io.grpc.Contexts;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import org.jspecify.annotations.Nullable;

/// The token of the call in progress, from `authorization: Bearer <token>`; whoever reads it has to verify it.
public final class BearerToken {
    private static final Metadata.Key<String> AUTHORIZATION =
            Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);
    private static final Context.Key<String> TOKEN = Context.key("bearer-token");
    private static final String SCHEME = "Bearer ";

    private BearerToken() {}

    /// @return null if the call carries none; only inside a call of an {@link RpcServer}
    public static @Nullable String current() {
        return TOKEN.get();
    }

    static ServerInterceptor interceptor() {
        return new ServerInterceptor() {
            @Override
            public <Q, A> ServerCall.Listener<Q> interceptCall(
                    ServerCall<Q, A> call, Metadata headers, ServerCallHandler<Q, A> next) {
                var context = Context.current();
                var value = headers.get(AUTHORIZATION);
                if (value != null && value.regionMatches(true, 0, SCHEME, 0, SCHEME.length())) {
                    context = context.withValue(
                            TOKEN, value.substring(SCHEME.length()).strip());
                }
                return Contexts.interceptCall(context, call, headers, next);
            }
        };
    }
}
