package io.loam.model.policy;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.IpBits;
import io.loam.model.address.MaskedBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.Match.ServiceAccountMatch;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// One {@link Match}, with addresses as masked numbers and ports as arrays. Comparing allocates nothing.
final class CompiledMatch {
    // Nearly all fields are empty, and a mesh has many matches: they share what is empty.
    private static final StringMatch[] NO_TEXTS = {};
    private static final PrincipalMatch[] NO_PRINCIPALS = {};
    private static final ServiceAccountMatch[] NO_ACCOUNTS = {};
    private static final MaskedBlock[] NO_BLOCKS = {};
    private static final int[] NO_PORTS = {};

    private final boolean hasFields;
    private final StringMatch[] namespaces;
    private final StringMatch[] notNamespaces;
    private final PrincipalMatch[] principals;
    private final PrincipalMatch[] notPrincipals;
    private final ServiceAccountMatch[] serviceAccounts;
    private final ServiceAccountMatch[] notServiceAccounts;
    private final MaskedBlock[] sourceIps;
    private final MaskedBlock[] notSourceIps;
    private final MaskedBlock[] destinationIps;
    private final MaskedBlock[] notDestinationIps;
    private final int[] destinationPorts;
    private final int[] notDestinationPorts;

    private CompiledMatch(Match match) {
        hasFields = !match.equals(Match.NOTHING);
        namespaces = texts(match.namespaces());
        notNamespaces = texts(match.notNamespaces());
        principals = principals(match.principals());
        notPrincipals = principals(match.notPrincipals());
        serviceAccounts = accounts(match.serviceAccounts());
        notServiceAccounts = accounts(match.notServiceAccounts());
        sourceIps = blocks(match.sourceIps());
        notSourceIps = blocks(match.notSourceIps());
        destinationIps = blocks(match.destinationIps());
        notDestinationIps = blocks(match.notDestinationIps());
        destinationPorts = ports(match.destinationPorts());
        notDestinationPorts = ports(match.notDestinationPorts());
    }

    static CompiledMatch of(Match match) {
        return new CompiledMatch(match);
    }

    boolean matches(ConnectionAttributes connection) {
        var peer = connection.peer();
        var namespace = peer == null ? "" : peer.namespace();
        return hasFields
                && (destinationPorts.length == 0 || contains(destinationPorts, connection.destinationPort()))
                && !contains(notDestinationPorts, connection.destinationPort())
                && (principals.length == 0 || anyPrincipal(principals, peer))
                && !anyPrincipal(notPrincipals, peer)
                && (namespaces.length == 0 || anyText(namespaces, namespace))
                && !anyText(notNamespaces, namespace)
                && (serviceAccounts.length == 0 || anyAccount(serviceAccounts, peer))
                && !anyAccount(notServiceAccounts, peer)
                && (sourceIps.length == 0 || anyBlock(sourceIps, connection.source()))
                && !anyBlock(notSourceIps, connection.source())
                && (destinationIps.length == 0 || anyBlock(destinationIps, connection.destination()))
                && !anyBlock(notDestinationIps, connection.destination());
    }

    private static boolean contains(int[] ports, int port) {
        for (int candidate : ports) {
            if (candidate == port) {
                return true;
            }
        }
        return false;
    }

    private static boolean anyText(StringMatch[] matches, String value) {
        for (var match : matches) {
            if (match.matches(value)) {
                return true;
            }
        }
        return false;
    }

    /// Without an identity no entry matches, not even an empty one: `not_principals: presence` means "no mTLS".
    private static boolean anyPrincipal(PrincipalMatch[] matches, @Nullable SpiffeId peer) {
        if (peer == null) {
            return false;
        }
        for (var match : matches) {
            if (match.matches(peer)) {
                return true;
            }
        }
        return false;
    }

    private static boolean anyAccount(ServiceAccountMatch[] matches, @Nullable SpiffeId peer) {
        if (peer == null) {
            return false;
        }
        for (var match : matches) {
            if (match.serviceAccount().equals(peer.serviceAccount())
                    && match.namespace().equals(peer.namespace())) {
                return true;
            }
        }
        return false;
    }

    private static boolean anyBlock(MaskedBlock[] blocks, IpBits address) {
        for (var block : blocks) {
            if (block.contains(address)) {
                return true;
            }
        }
        return false;
    }

    private static StringMatch[] texts(List<StringMatch> matches) {
        return matches.isEmpty() ? NO_TEXTS : matches.toArray(StringMatch[]::new);
    }

    private static ServiceAccountMatch[] accounts(List<ServiceAccountMatch> matches) {
        return matches.isEmpty() ? NO_ACCOUNTS : matches.toArray(ServiceAccountMatch[]::new);
    }

    private static PrincipalMatch[] principals(List<StringMatch> matches) {
        return matches.isEmpty()
                ? NO_PRINCIPALS
                : matches.stream().map(PrincipalMatch::new).toArray(PrincipalMatch[]::new);
    }

    private static MaskedBlock[] blocks(List<CidrBlock> blocks) {
        return blocks.isEmpty()
                ? NO_BLOCKS
                : blocks.stream().map(MaskedBlock::of).toArray(MaskedBlock[]::new);
    }

    private static int[] ports(Set<Integer> ports) {
        return ports.isEmpty()
                ? NO_PORTS
                : ports.stream().mapToInt(Integer::intValue).sorted().toArray();
    }

    /// Compares with `<trust domain>/ns/<namespace>/sa/<service account>` piece by piece, because putting the
    /// pieces together would allocate.
    private record PrincipalMatch(StringMatch match) {
        private static final String NAMESPACE = "/ns/";
        private static final String ACCOUNT = "/sa/";

        boolean matches(SpiffeId peer) {
            return switch (match) {
                case StringMatch.Exact(var text) -> text.length() == length(peer) && matchesAt(peer, text, 0);
                case StringMatch.Prefix(var text) -> matchesAt(peer, text, 0);
                case StringMatch.Suffix(var text) -> matchesAt(peer, text, length(peer) - text.length());
                case StringMatch.Presence() -> true;
            };
        }

        private static int length(SpiffeId peer) {
            return peer.trustDomain().length()
                    + NAMESPACE.length()
                    + peer.namespace().length()
                    + ACCOUNT.length()
                    + peer.serviceAccount().length();
        }

        /// Whether `text` stands at `start` of the principal.
        private static boolean matchesAt(SpiffeId peer, String text, int start) {
            if (start < 0 || start + text.length() > length(peer)) {
                return false;
            }
            int at = -start; // where the next piece begins, counted in text
            return agrees(text, at, peer.trustDomain())
                    && agrees(text, at += peer.trustDomain().length(), NAMESPACE)
                    && agrees(text, at += NAMESPACE.length(), peer.namespace())
                    && agrees(text, at += peer.namespace().length(), ACCOUNT)
                    && agrees(text, at + ACCOUNT.length(), peer.serviceAccount());
        }

        /// Whether the part of `piece` that lies over `text` is equal to it, when `piece` begins at `at`.
        private static boolean agrees(String text, int at, String piece) {
            int from = Math.max(at, 0);
            int to = Math.min(at + piece.length(), text.length());
            return from >= to || text.regionMatches(from, piece, from - at, to - from);
        }
    }
}
