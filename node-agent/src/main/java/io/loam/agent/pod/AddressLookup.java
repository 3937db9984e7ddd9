package io.loam.agent.pod;

import io.netty.channel.EventLoop;
import java.net.InetAddress;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// What has to be heard about an address before the mesh is asked whom it belongs to: nothing where the agent
/// knows the whole mesh, an answer of the control plane with `XDS_ON_DEMAND` ({@link DemandLookup}).
/// Thread-safe.
public interface AddressLookup {
    /// The whole mesh is known.
    AddressLookup EVERYTHING_KNOWN = new AddressLookup() {
        @Override
        public boolean knowsEverything() {
            return true;
        }

        @Override
        public Use use(LocalPod pod, InetAddress address) {
            return Use.KNOWN;
        }

        @Override
        public void mention(InetAddress address) {}
    };

    /// Whether there is nothing to be asked: then connections need not come here.
    default boolean knowsEverything() {
        return false;
    }

    /// Begins to use an address; asks for it unless that was done.
    ///
    /// @param pod that connects to it
    /// @return null if too many are being used or asked for; {@link Use#release} has to follow otherwise
    @Nullable
    Use use(LocalPod pod, InetAddress address);

    /// Asks for an address that nobody waits for: connections to come will find in the mesh who that is.
    void mention(InetAddress address);

    /// Of one connection. What the control plane says about the address is in the mesh for as long as it lasts.
    interface Use {
        /// Of what needs no asking.
        Use KNOWN = new Use() {
            @Override
            public void await(EventLoop loop, Consumer<@Nullable String> next) {
                next.accept(null);
            }

            @Override
            public void release() {}
        };

        /// Calls `next` once on `loop`, the current one: at once if the address is known, later when it is, or
        /// when that takes too long.
        ///
        /// @param next is given null, or what was not heard, for logs
        void await(EventLoop loop, Consumer<@Nullable String> next);

        /// The connection has ended.
        void release();
    }
}
