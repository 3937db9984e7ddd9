package io.loam.controlplane.xds;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import io.loam.protocol.proto.discovery.Resource;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;

/// One resource, encoded once and shared by all streams.
///
/// @param version a hash of the content, so that it survives restarts of the control plane
/// @param model what it was made from; equal models need not be encoded again
/// @param message ready to send, with name, version and aliases
record MeshResource(String name, String version, Object model, Resource message) {
    /// 96 bits: two versions of one resource never collide by chance, and names of versions stay short in
    /// reconnects.
    private static final int VERSION_BYTES = 12;

    static MeshResource of(ResourceType type, String name, List<String> aliases, Object model, Message content) {
        var bytes = deterministic(content);
        var version = version(bytes, aliases);
        var message = Resource.newBuilder()
                .setName(name)
                .setVersion(version)
                .addAllAliases(aliases)
                .setResource(Any.newBuilder().setTypeUrl(type.typeUrl()).setValue(ByteString.copyFrom(bytes)))
                .build();
        return new MeshResource(name, version, model, message);
    }

    /// Whether this is its name or an alias of it.
    boolean isCalled(String nameOrAlias) {
        return name.equals(nameOrAlias) || message.getAliasesList().contains(nameOrAlias);
    }

    /// Map fields have no order of their own: equal content must give equal bytes.
    private static byte[] deterministic(Message content) {
        var bytes = new byte[content.getSerializedSize()];
        var out = CodedOutputStream.newInstance(bytes);
        out.useDeterministicSerialization();
        try {
            content.writeTo(out);
        } catch (IOException e) {
            throw new UncheckedIOException("encoding in memory", e);
        }
        out.checkNoSpaceLeft();
        return bytes;
    }

    private static String version(byte[] content, List<String> aliases) {
        try {
            var digest = MessageDigest.getInstance("SHA-256");
            digest.update(content);
            aliases.forEach(alias -> digest.update(("\n" + alias).getBytes(StandardCharsets.UTF_8)));
            return Base64.getUrlEncoder()
                    .withoutPadding()
                    .encodeToString(Arrays.copyOf(digest.digest(), VERSION_BYTES));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java runtime has SHA-256", e);
        }
    }
}
