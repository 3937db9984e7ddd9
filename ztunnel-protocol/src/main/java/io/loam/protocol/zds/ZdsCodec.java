package io.loam.protocol.zds;

import com.google.protobuf.InvalidProtocolBufferException;
import io.loam.protocol.proto.zds.Ack;
import io.loam.protocol.proto.zds.AddWorkload;
import io.loam.protocol.proto.zds.DelWorkload;
import io.loam.protocol.proto.zds.KeepWorkload;
import io.loam.protocol.proto.zds.Listeners;
import io.loam.protocol.proto.zds.Version;
import io.loam.protocol.proto.zds.WorkloadRequest;
import io.loam.protocol.proto.zds.WorkloadResponse;
import io.loam.protocol.proto.zds.ZdsHello;
import io.loam.protocol.zds.HeldListeners.ListenerGroup;
import io.loam.protocol.zds.HeldListeners.ListenerGroups;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.SnapshotSent;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;
import java.util.ArrayList;
import java.util.HashSet;
import org.jspecify.annotations.Nullable;

/// ZDS messages to datagrams and back. One message is one datagram, without a length prefix.
public final class ZdsCodec {
    /// What peers make room for; longer messages would be cut.
    public static final int MAX_MESSAGE_BYTES = 1024;

    private ZdsCodec() {}

    /// Of a proxy that hands over its listeners and its sockets for datagrams. A privileged half that does
    /// not keep any reads past it.
    public static byte[] hello() {
        return ZdsHello.newBuilder()
                .setVersion(Version.V1)
                .setLoamDescriptorStore(true)
                .setLoamDatagrams(true)
                .build()
                .toByteArray();
    }

    /// @return what the proxy hands over
    /// @throws ZdsProtocolException if the proxy speaks no version we know
    public static HandOver requireHello(byte[] datagram) throws ZdsProtocolException {
        try {
            var hello = ZdsHello.parseFrom(datagram);
            if (hello.getVersion() != Version.V1) {
                throw new ZdsProtocolException("hello: version " + hello.getVersion() + " (expected: V1)");
            }
            if (!hello.getLoamDescriptorStore()) {
                return HandOver.NOTHING;
            }
            return hello.getLoamDatagrams() ? HandOver.ALL : HandOver.LISTENERS;
        } catch (InvalidProtocolBufferException e) {
            throw new ZdsProtocolException("hello: unreadable", e);
        }
    }

    /// What a proxy hands over to be kept.
    public enum HandOver {
        /// As Istio's does.
        NOTHING,
        /// Its listeners, and knows nothing of sockets for datagrams.
        LISTENERS,
        /// Both.
        ALL
    }

    /// @throws IllegalArgumentException if the message would exceed {@link #MAX_MESSAGE_BYTES}
    public static byte[] encode(ZdsRequest request) {
        var message = WorkloadRequest.newBuilder();
        switch (request) {
            case Add(var uid, var workload, var listeners) -> {
                var add = AddWorkload.newBuilder()
                        .setUid(uid)
                        .setWorkloadInfo(io.loam.protocol.proto.zds.WorkloadInfo.newBuilder()
                                .setName(workload.name())
                                .setNamespace(workload.namespace())
                                .setServiceAccount(workload.serviceAccount()));
                if (listeners != null) {
                    add.setLoamListeners(toProto(listeners));
                }
                message.setAdd(add);
            }
            case Keep(var uid) -> message.setKeep(KeepWorkload.newBuilder().setUid(uid));
            case Del(var uid) -> message.setDel(DelWorkload.newBuilder().setUid(uid));
            case SnapshotSent() ->
                message.setSnapshotSent(io.loam.protocol.proto.zds.SnapshotSent.getDefaultInstance());
        }
        var bytes = message.build().toByteArray();
        if (bytes.length > MAX_MESSAGE_BYTES) {
            throw new IllegalArgumentException(
                    request + ": " + bytes.length + " bytes (expected: <= " + MAX_MESSAGE_BYTES + ")");
        }
        return bytes;
    }

    /// @throws ZdsProtocolException if the message is unreadable, empty, without a UID or an Add without its
    ///     pod
    public static ZdsRequest decodeRequest(byte[] datagram) throws ZdsProtocolException {
        WorkloadRequest message;
        try {
            message = WorkloadRequest.parseFrom(datagram);
        } catch (InvalidProtocolBufferException e) {
            throw new ZdsProtocolException("request: unreadable", e);
        }
        return switch (message.getPayloadCase()) {
            case ADD -> {
                var add = message.getAdd();
                if (!add.hasWorkloadInfo()) {
                    throw new ZdsProtocolException("add " + add.getUid() + ": no workload_info");
                }
                var info = add.getWorkloadInfo();
                yield new Add(
                        uid("add", add.getUid()),
                        new WorkloadInfo(info.getName(), info.getNamespace(), info.getServiceAccount()),
                        add.hasLoamListeners() ? groups("add " + add.getUid(), add.getLoamListeners()) : null);
            }
            case KEEP -> new Keep(uid("keep", message.getKeep().getUid()));
            case DEL -> new Del(uid("del", message.getDel().getUid()));
            case SNAPSHOT_SENT -> new SnapshotSent();
            case PAYLOAD_NOT_SET -> throw new ZdsProtocolException("request: no payload known to version V1");
        };
    }

    /// @param error "" is success
    public static byte[] ack(String error) {
        // Cut far below the limit in bytes: a long stack of causes must not cost the session.
        var shortened = error.length() > 300 ? error.substring(0, 300) + "…" : error;
        return WorkloadResponse.newBuilder()
                .setAck(Ack.newBuilder().setError(shortened))
                .build()
                .toByteArray();
    }

    /// Success, with listeners for the privileged half to keep.
    static byte[] ack(ListenerGroups listeners) {
        return WorkloadResponse.newBuilder()
                .setAck(Ack.newBuilder().setLoamListeners(toProto(listeners)))
                .build()
                .toByteArray();
    }

    /// @throws ZdsProtocolException if it is unreadable, or has listeners although the proxy refused
    public static Answer decodeAck(byte[] datagram) throws ZdsProtocolException {
        try {
            var message = WorkloadResponse.parseFrom(datagram);
            if (!message.hasAck()) {
                throw new ZdsProtocolException("response: no ack");
            }
            var ack = message.getAck();
            var listeners = ack.hasLoamListeners() ? groups("response", ack.getLoamListeners()) : null;
            if (listeners != null && !ack.getError().isEmpty()) {
                throw new ZdsProtocolException("response: listeners of a pod that was refused: " + ack.getError());
            }
            return new Answer(ack.getError(), listeners);
        } catch (InvalidProtocolBufferException e) {
            throw new ZdsProtocolException("response: unreadable", e);
        }
    }

    private static Listeners toProto(ListenerGroups said) {
        var listeners = Listeners.newBuilder().setDatagrams(said.datagrams());
        said.groups()
                .forEach(group -> listeners.addGroups(io.loam.protocol.proto.zds.ListenerGroup.newBuilder()
                        .setPort(group.port())
                        .setCount(group.count())
                        .setDatagrams(group.datagrams())));
        return listeners.build();
    }

    private static ListenerGroups groups(String what, Listeners listeners) throws ZdsProtocolException {
        var groups = new ArrayList<ListenerGroup>();
        var places = new HashSet<ListenerGroup>();
        int sum = 0;
        for (var group : listeners.getGroupsList()) {
            int port = group.getPort();
            int count = group.getCount(); // unsigned on the wire: what is too large is negative here
            if (port < 1 || port > 65535 || !places.add(new ListenerGroup(port, 0, group.getDatagrams()))) {
                throw new ZdsProtocolException(what + ": listeners on port " + Integer.toUnsignedString(port)
                        + " (expected: 1 to 65535, each once)");
            }
            if (count < 1 || count > HeldListeners.MAX - sum) {
                throw new ZdsProtocolException(what + ": " + Integer.toUnsignedString(count) + " listeners on port "
                        + port + " (expected: at least 1, " + HeldListeners.MAX + " in all)");
            }
            sum += count;
            groups.add(new ListenerGroup(port, count, group.getDatagrams()));
        }
        return new ListenerGroups(groups, listeners.getDatagrams());
    }

    /// What a proxy answered.
    ///
    /// @param error "" for success
    /// @param listeners to be kept from now on in place of what was; null if that stays
    public record Answer(String error, @Nullable ListenerGroups listeners) {}

    private static String uid(String kind, String uid) throws ZdsProtocolException {
        if (uid.isEmpty()) {
            throw new ZdsProtocolException(kind + ": no uid");
        }
        return uid;
    }
}
