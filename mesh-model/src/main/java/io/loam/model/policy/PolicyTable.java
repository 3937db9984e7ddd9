package io.loam.model.policy;

import io.loam.model.address.IpBits;
import io.loam.model.address.MaskedBlock;
import io.loam.model.identity.SpiffeId;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// Policies of one action in the order in which they are asked, found by what they match.
///
/// Design. Thousands of policies in one namespace are usual where each names its callers, and asking each about
/// each connection made a decision cost half a millisecond. So a policy is filed under its {@link Anchor}s, and a
/// connection asks only what is filed under what it has: its identity, namespace, address and port. Policies without
/// anchors (prefixes, negations, rules for everybody) are always asked. Every drawer holds positions in ascending
/// order, so the first match in the order of all policies comes out, as if they had been asked one by one.
///
/// Asking allocates nothing: keys are there already, or compared as numbers.
final class PolicyTable {
    /// Fewer policies are asked one by one; finding them takes longer.
    private static final int FEWEST_FILED = 8;

    private static final int[] NONE = {};

    private final CompiledPolicy[] policies;
    private final int[] always;
    private final Map<SpiffeId, int[]> byPrincipal;
    private final Map<String, Map<String, int[]>> byAccount; // namespace, then account: no key to be made
    private final Map<String, int[]> byNamespace;
    private final BlocksOfOneLength[] bySource;
    private final int[] ports; // ascending
    private final int[][] byPort;

    private PolicyTable(CompiledPolicy[] policies, Filing filing) {
        this.policies = policies;
        this.always = positions(filing.always);
        this.byPrincipal = HashMap.newHashMap(filing.byPrincipal.size());
        filing.byPrincipal.forEach((peer, filed) -> byPrincipal.put(peer, positions(filed)));
        this.byAccount = new HashMap<>();
        filing.byAccount.forEach((account, filed) -> byAccount
                .computeIfAbsent(account.namespace(), _ -> new HashMap<>())
                .put(account.serviceAccount(), positions(filed)));
        this.byNamespace = HashMap.newHashMap(filing.byNamespace.size());
        filing.byNamespace.forEach((namespace, filed) -> byNamespace.put(namespace, positions(filed)));
        this.bySource =
                filing.bySource.values().stream().map(BlocksOfOneLength::new).toArray(BlocksOfOneLength[]::new);
        this.ports = filing.byPort.keySet().stream().mapToInt(Integer::intValue).toArray();
        this.byPort =
                filing.byPort.values().stream().map(PolicyTable::positions).toArray(int[][]::new);
    }

    /// @param policies in the order in which they are to be asked
    static PolicyTable of(List<CompiledPolicy> policies) {
        var filing = new Filing();
        for (int position = 0; position < policies.size(); position++) {
            var source = policies.get(position).source();
            filing.file(position, policies.size() < FEWEST_FILED ? null : Anchor.of(source));
        }
        return new PolicyTable(policies.toArray(CompiledPolicy[]::new), filing);
    }

    int size() {
        return policies.length;
    }

    List<CompiledPolicy> inOrder() {
        return List.of(policies);
    }

    /// The first policy of which a rule matches. Allocates nothing.
    @Nullable
    CompiledPolicy firstMatch(ConnectionAttributes connection) {
        int first = firstMatch(always, connection, policies.length);
        var peer = connection.peer();
        if (peer != null && !byPrincipal.isEmpty()) {
            first = firstMatch(byPrincipal.get(peer), connection, first);
        }
        if (peer != null && !byAccount.isEmpty()) {
            var ofNamespace = byAccount.get(peer.namespace());
            first = firstMatch(ofNamespace == null ? NONE : ofNamespace.get(peer.serviceAccount()), connection, first);
        }
        if (!byNamespace.isEmpty()) {
            first = firstMatch(byNamespace.get(peer == null ? "" : peer.namespace()), connection, first);
        }
        for (var blocks : bySource) {
            first = firstMatch(blocks.find(connection.source()), connection, first);
        }
        int port = Arrays.binarySearch(ports, connection.destinationPort());
        if (port >= 0) {
            first = firstMatch(byPort[port], connection, first);
        }
        return first == policies.length ? null : policies[first];
    }

    /// @param before positions from here on are of no interest
    /// @return the first of `filed` that matches, or `before`
    private int firstMatch(int @Nullable [] filed, ConnectionAttributes connection, int before) {
        if (filed == null) {
            return before;
        }
        for (int position : filed) {
            if (position >= before) {
                return before;
            }
            if (policies[position].firstMatchingRule(connection) >= 0) {
                return position;
            }
        }
        return before;
    }

    private static int[] positions(List<Integer> filed) {
        return filed.stream().mapToInt(Integer::intValue).toArray();
    }

    /// The table in the making. Positions come in ascending order.
    private static final class Filing {
        final List<Integer> always = new ArrayList<>();
        final Map<SpiffeId, List<Integer>> byPrincipal = new HashMap<>();
        final Map<Match.ServiceAccountMatch, List<Integer>> byAccount = new HashMap<>();
        final Map<String, List<Integer>> byNamespace = new HashMap<>();
        final Map<MaskedBlock, Map<MaskedBlock, List<Integer>>> bySource = new HashMap<>();
        final Map<Integer, List<Integer>> byPort = new TreeMap<>();

        void file(int position, @Nullable Iterable<Anchor> anchors) {
            if (anchors == null) {
                always.add(position);
                return;
            }
            for (var anchor : anchors) {
                switch (anchor) {
                    case Anchor.Principal(var peer) -> add(byPrincipal, peer, position);
                    case Anchor.Account(var account) -> add(byAccount, account, position);
                    case Anchor.Namespace(var name) -> add(byNamespace, name, position);
                    case Anchor.Port(var port) -> add(byPort, port, position);
                    case Anchor.Source(var block) -> {
                        var masked = MaskedBlock.of(block);
                        var length = new MaskedBlock(masked.v6(), 0, 0, masked.highMask(), masked.lowMask());
                        add(
                                bySource.computeIfAbsent(length, _ -> new TreeMap<>(BlocksOfOneLength.ORDER)),
                                masked,
                                position);
                    }
                }
            }
        }

        private static <K> void add(Map<K, List<Integer>> drawers, K key, int position) {
            var drawer = drawers.computeIfAbsent(key, _ -> new ArrayList<>());
            if (drawer.isEmpty() || drawer.getLast() != position) { // two spellings of one block
                drawer.add(position);
            }
        }
    }

    /// Blocks of one family and prefix length: at most one of them holds an address, and a binary search finds it.
    private static final class BlocksOfOneLength {
        static final Comparator<MaskedBlock> ORDER =
                Comparator.comparingLong(MaskedBlock::high).thenComparingLong(MaskedBlock::low);

        private final MaskedBlock[] blocks;
        private final int[][] filed;

        BlocksOfOneLength(Map<MaskedBlock, List<Integer>> drawers) {
            blocks = drawers.keySet().toArray(MaskedBlock[]::new);
            filed = drawers.values().stream().map(PolicyTable::positions).toArray(int[][]::new);
        }

        int @Nullable [] find(IpBits address) {
            if (blocks[0].v6() != address.v6()) {
                return null;
            }
            long high = address.high() & blocks[0].highMask();
            long low = address.low() & blocks[0].lowMask();
            int from = 0;
            int to = blocks.length;
            while (from < to) {
                int middle = (from + to) >>> 1;
                var block = blocks[middle];
                if (block.high() < high || (block.high() == high && block.low() < low)) {
                    from = middle + 1;
                } else {
                    to = middle;
                }
            }
            return from < blocks.length && blocks[from].high() == high && blocks[from].low() == low
                    ? filed[from]
                    : null;
        }
    }
}
