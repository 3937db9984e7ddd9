package io.loam.runtime.config;

import java.net.InetAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/// The DNS proxy in each pod (wire reference, section 9).
///
/// @param enabled whether the agent listens on port 15053 of its pods (`ISTIO_META_DNS_CAPTURE`, as ztunnel has
///     it). Default true. Where it is false, the privileged half must not redirect DNS either
/// @param preferredNamespace whose services win after the client's own where several have one host name
///     (`PREFERED_SERVICE_NAMESPACE`, spelt like this). Default "", none
/// @param resolvers asked on port 53 where the kernel does not tell whom the program has asked
///     (`LOAM_DNS_RESOLVERS`, addresses separated by commas). Default: those of the agent's own
///     `/etc/resolv.conf` that are not on loopback, which is another one in a pod
/// @param timeout how long a program waits for resolvers that do not answer, before it is told so
///     (`LOAM_DNS_TIMEOUT`), 100 ms to 60 s. Default 4 s: 1 s less than the C library waits for us
/// @param maxForwarded queries of the node that wait for a resolver at one time (`LOAM_DNS_MAX_FORWARDED`), 1
///     to 65536; each takes a socket. Default 4096
/// @param maxForwardedPerPod the same for one pod (`LOAM_DNS_MAX_FORWARDED_PER_POD`). Default 512: with a
///     resolver that is down, what a program can ask in 4 s at 128 queries per second
public record DnsConfig(
        boolean enabled,
        String preferredNamespace,
        List<InetAddress> resolvers,
        Duration timeout,
        int maxForwarded,
        int maxForwardedPerPod) {
    public static final Duration DEFAULT_TIMEOUT = Duration.ofSeconds(4);
    public static final int DEFAULT_MAX_FORWARDED = 4096;
    public static final int DEFAULT_MAX_FORWARDED_PER_POD = 512;

    public DnsConfig {
        resolvers = List.copyOf(resolvers);
        new Checks()
                .require(
                        timeout.toMillis() >= 100 && timeout.toSeconds() <= 60,
                        "LOAM_DNS_TIMEOUT",
                        timeout,
                        "100ms to 60s")
                .range("LOAM_DNS_MAX_FORWARDED", maxForwarded, 1, 65536)
                .range("LOAM_DNS_MAX_FORWARDED_PER_POD", maxForwardedPerPod, 1, 65536)
                .done();
    }

    /// The name servers of a resolv.conf(5), in its order. What is no address is passed over, as the C library
    /// does.
    static List<InetAddress> nameservers(List<String> resolvConf) {
        var found = new ArrayList<InetAddress>();
        for (var line : resolvConf) {
            var words = line.strip().split("\\s+");
            if (words.length >= 2 && words[0].equals("nameserver")) {
                try {
                    var address = InetAddress.ofLiteral(words[1]);
                    if (!address.isLoopbackAddress()) {
                        found.add(address);
                    }
                } catch (IllegalArgumentException _) {
                    // see above
                }
            }
        }
        return found;
    }
}
