package io.loam.protocol.zds;

import com.google.protobuf.InvalidProtocolBufferException;
import io.loam.protocol.proto.zds.Ack;
import io.loam.protocol.proto.zds.AddWorkload;
import io.loam.protocol.proto.zds.DelWorkload;
import io.loam.protocol.proto.zds.KeepWorkload;
import io.loam.protocol.proto.zds.Version;
import io.loam.protocol.proto.zds.WorkloadRequest;
import io.loam.protocol.proto.zds.WorkloadResponse;
import io.loam.protocol.proto.zds.ZdsHello;
import io.loam.protocol.zds.ZdsRequest.Add;
import io.loam.protocol.zds.ZdsRequest.Del;
import io.loam.protocol.zds.ZdsRequest.Keep;
import io.loam.protocol.zds.ZdsRequest.SnapshotSent;
import io.loam.protocol.zds.ZdsRequest.WorkloadInfo;

/// ZDS messages to datagrams and back. One message is one datagram, without a length prefix.
public final class ZdsCodec {
    /// What peers make room for; longer messages would be cut.
    public static final int MAX_MESSAGE_BYTES = 1024;

    private ZdsCodec() {}

    public static byte[] hello() {
        return ZdsHello.newBuilder().setVersion(Version.V1).build().toByteArray();
    }

    /// @throws ZdsProtocolException if the proxy speaks no version we know
    public static void requireHello(byte[] datagram) throws ZdsProtocolException {
        try {
            var version = ZdsHello.parseFrom(datagram).getVersion();
            if (version != Version.V1) {
                throw new ZdsProtocolException("hello: version " + version + " (expected: V1)");
            }
        } catch (InvalidProtocolBufferException e) {
            throw new ZdsProtocolException("hello: unreadable", e);
        }
    }

    /// @throws IllegalArgumentException if the message would exceed {@link #MAX_MESSAGE_BYTES}
    public static byte[] encode(ZdsRequest request) {
        var message = WorkloadRequest.newBuilder();
        switch (request) {
            case Add(var uid, var workload) ->
                message.setAdd(AddWorkload.newBuilder()
                        .setUid(uid)
                        .setWorkloadInfo(io.loam.protocol.proto.zds.WorkloadInfo.newBuilder()
                                .setName(workload.name())
                                .setNamespace(workload.namespace())
                                .setServiceAccount(workload.serviceAccount())));
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

    /// @throws ZdsProtocolException if the message is unreadable, empty, without a UID or an Add without its pod
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
                        new WorkloadInfo(info.getName(), info.getNamespace(), info.getServiceAccount()));
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

    /// @return the error, "" for success
    public static String decodeAck(byte[] datagram) throws ZdsProtocolException {
        try {
            var message = WorkloadResponse.parseFrom(datagram);
            if (!message.hasAck()) {
                throw new ZdsProtocolException("response: no ack");
            }
            return message.getAck().getError();
        } catch (InvalidProtocolBufferException e) {
            throw new ZdsProtocolException("response: unreadable", e);
        }
    }

    private static String uid(String kind, String uid) throws ZdsProtocolException {
        if (uid.isEmpty()) {
            throw new ZdsProtocolException(kind + ": no uid");
        }
        return uid;
    }
}
