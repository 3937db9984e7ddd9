package io.loam.config.compile;

import io.loam.model.address.IpBits;
import io.loam.model.address.NamespacedHostname;
import java.net.InetAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/// Virtual addresses for the hosts of ServiceEntries that have none, so that connections to them can be told
/// apart once the DNS proxy has answered with these (wire reference, section 9): one of 240.240.0.0/16 and
/// one of 2001:2::/48, the ranges that Istio uses.
///
/// The address is a hash of the name, so that replicas of the control plane agree and restarts change nothing
/// without anything being written down. Hosts whose hashes collide move up by one in the order they are asked
/// for, oldest first, so that a new entry does not move an old one.
final class EntryAddresses {
    private static final int IPV4_PREFIX = 0xf0f0_0000;
    private static final int IPV4_HOSTS = 0xfffe; // neither the first nor the last of the range
    private static final long IPV6_HIGH = 0x2001_0002_0000_0000L;

    private final Set<Integer> taken = new HashSet<>();

    /// @throws IllegalStateException if none is left, which takes 65,534 hosts
    List<InetAddress> give(NamespacedHostname host) {
        var hash = ByteBuffer.wrap(sha256(host.toString()));
        int offset = Integer.remainderUnsigned(hash.getInt(), IPV4_HOSTS);
        for (int tried = 0; tried < IPV4_HOSTS; tried++) {
            int candidate = 1 + (offset + tried) % IPV4_HOSTS;
            if (taken.add(candidate)) {
                long low = hash.getLong();
                return List.of(
                        new IpBits(false, (long) (IPV4_PREFIX | candidate) << 32, 0).toInetAddress(),
                        new IpBits(true, IPV6_HIGH, low).toInetAddress());
            }
        }
        throw new IllegalStateException("no address is left in 240.240.0.0/16 for " + host);
    }

    private static byte[] sha256(String text) {
        try {
            return MessageDigest.getInstance("SHA-256").digest(text.getBytes(StandardCharsets.UTF_8));
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every Java has SHA-256", e);
        }
    }
}
