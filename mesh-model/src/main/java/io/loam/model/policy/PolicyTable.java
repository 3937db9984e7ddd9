package io.loam.model.policy;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.IpBits;
import io.loam.model.address.MaskedBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.NameDrawers.AffixTable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The rules of policies of one action in the order in which they are asked, found by what they match.
///
/// Design. Thousands of policies in one namespace are usual where each names its callers, and asking each about
/// each connection made a decision cost half a millisecond. So a rule is filed under its {@link Anchor}s, and a
/// connection asks only what is filed under what it has: its identity, its namespace and account, its addresses
/// and its port. Rules without anchors (negations, `*`, rules for everybody) are always asked. Rules are
/// counted through all policies, and every drawer holds their numbers in ascending order: the first match in
/// the order of all policies comes out, as if they had been asked one by one.
///
/// Asking allocates nothing: keys are there already, or compared as numbers. Making a table of 100,000 rules
/// takes up to a second, so it is made with the snapshot ({@link PolicyLayer}) and never on an event loop. Such a
/// table and its policies take 60 MB, more than the heap of an agent as it is started today.
final class PolicyTable {
    /// Fewer rules are asked one by one; finding them takes longer.
    private static final int FEWEST_FILED = 8;

    private static final int[] NONE = {};

    private final CompiledPolicy[] policies;
    private final int[] firstRule; // of each policy; one more than there are policies
    private final int[] policyOf; // of each rule
    private final int[] always;
    private final Map<SpiffeId, int[]> byPrincipal;
    private final Map<String, Map<String, int[]>> byAccount; // namespace, then account: no key to be made
    private final NameDrawers byNamespace;
    private final NameDrawers byAccountName;
    private final BlocksOfOneLength[] bySource;
    private final BlocksOfOneLength[] byDestination;
    private final int[] ports; // ascending
    private final int[][] byPort;

    private PolicyTable(CompiledPolicy[] policies, int[] firstRule, Filing filing) {
        this.policies = policies;
        this.firstRule = firstRule;
        this.policyOf = new int[firstRule[policies.length]];
        for (int policy = 0; policy < policies.length; policy++) {
            Arrays.fill(policyOf, firstRule[policy], firstRule[policy + 1], policy);
        }
        this.always = positions(filing.always);
        this.byPrincipal = HashMap.newHashMap(filing.byPrincipal.size());
        filing.byPrincipal.forEach((peer, filed) -> byPrincipal.put(peer, positions(filed)));
        this.byAccount = new HashMap<>();
        filing.byAccount.forEach((account, filed) -> byAccount
                .computeIfAbsent(account.namespace(), _ -> new HashMap<>())
                .put(account.serviceAccount(), positions(filed)));
        this.byNamespace = filing.byNamespace.build();
        this.byAccountName = filing.byAccountName.build();
        this.bySource = BlocksOfOneLength.of(filing.bySource);
        this.byDestination = BlocksOfOneLength.of(filing.byDestination);
        this.ports = filing.byPort.keySet().stream().mapToInt(Integer::intValue).toArray();
        this.byPort =
                filing.byPort.values().stream().map(PolicyTable::positions).toArray(int[][]::new);
    }

    /// @param policies in the order in which they are to be asked
    static PolicyTable of(List<CompiledPolicy> policies) {
        var firstRule = new int[policies.size() + 1];
        for (int i = 0; i < policies.size(); i++) {
            firstRule[i + 1] = firstRule[i] + policies.get(i).ruleCount();
        }
        boolean filed = firstRule[policies.size()] >= FEWEST_FILED;
        var frequency = new HashMap<Anchor, Integer>();
        if (filed) {
            for (var policy : policies) {
                for (var rule : policy.source().rules()) {
                    Anchor.candidates(rule).forEach(anchor -> frequency.merge(anchor, 1, Integer::sum));
                }
            }
        }
        var filing = new Filing();
        int position = 0;
        for (var policy : policies) {
            for (var rule : policy.source().rules()) {
                filing.file(position++, filed ? Anchor.of(rule, anchor -> frequency.getOrDefault(anchor, 0)) : null);
            }
        }
        return new PolicyTable(policies.toArray(CompiledPolicy[]::new), firstRule, filing);
    }

    /// Policies, those without a rule included.
    int size() {
        return policies.length;
    }

    List<CompiledPolicy> inOrder() {
        return List.of(policies);
    }

    /// The policy that a rule found by {@link #firstMatch} belongs to.
    CompiledPolicy policyAt(int position) {
        return policies[policyOf[position]];
    }

    /// The index in its policy of a rule found by {@link #firstMatch}.
    int ruleAt(int position) {
        return position - firstRule[policyOf[position]];
    }

    /// The first position behind the policy that a rule belongs to.
    int behindPolicyAt(int position) {
        return firstRule[policyOf[position] + 1];
    }

    /// The first rule that matches, counted through all policies. Allocates nothing.
    ///
    /// @param from rules before this one are of no interest
    /// @return -1 if there is none
    int firstMatch(ConnectionAttributes connection, int from) {
        int first = first(always, connection, from, policyOf.length);
        var peer = connection.peer();
        if (peer != null) {
            if (!byPrincipal.isEmpty()) {
                first = first(byPrincipal.get(peer), connection, from, first);
            }
            if (!byAccount.isEmpty()) {
                var ofNamespace = byAccount.get(peer.namespace());
                var ofAccount = ofNamespace == null ? null : ofNamespace.get(peer.serviceAccount());
                first = first(ofAccount, connection, from, first);
            }
            first = first(byAccountName, peer.serviceAccount(), connection, from, first);
        }
        first = first(byNamespace, peer == null ? "" : peer.namespace(), connection, from, first);
        for (var blocks : bySource) {
            first = first(blocks.find(connection.source()), connection, from, first);
        }
        for (var blocks : byDestination) {
            first = first(blocks.find(connection.destination()), connection, from, first);
        }
        int port = Arrays.binarySearch(ports, connection.destinationPort());
        if (port >= 0) {
            first = first(byPort[port], connection, from, first);
        }
        return first == policyOf.length ? -1 : first;
    }

    private int first(NameDrawers drawers, String name, ConnectionAttributes connection, int from, int before) {
        if (drawers.isEmpty()) {
            return before;
        }
        int first = first(drawers.exact(name), connection, from, before);
        first = first(drawers.prefixes(), name, connection, from, first);
        return first(drawers.suffixes(), name, connection, from, first);
    }

    private int first(AffixTable affixes, String name, ConnectionAttributes connection, int from, int before) {
        int longest = Math.min(affixes.longest(), name.length());
        int hash = 0;
        int first = before;
        for (int length = 1; length <= longest; length++) {
            hash = affixes.grow(hash, name, length - 1);
            first = first(affixes.find(name, length, hash), connection, from, first);
        }
        return first;
    }

    /// @param before positions from here on are of no interest
    /// @return the first of `filed` that matches, or `before`
    private int first(int @Nullable [] filed, ConnectionAttributes connection, int from, int before) {
        if (filed == null) {
            return before;
        }
        int start = from == 0 ? 0 : Arrays.binarySearch(filed, from);
        for (int i = start < 0 ? -start - 1 : start; i < filed.length; i++) {
            int position = filed[i];
            if (position >= before) {
                return before;
            }
            int policy = policyOf[position];
            if (policies[policy].matches(position - firstRule[policy], connection)) {
                return position;
            }
        }
        return before;
    }

    private static int[] positions(List<Integer> filed) {
        return filed.isEmpty()
                ? NONE
                : filed.stream().mapToInt(Integer::intValue).toArray();
    }

    /// The table in the making. Positions come in ascending order.
    private static final class Filing {
        final List<Integer> always = new ArrayList<>();
        final Map<SpiffeId, List<Integer>> byPrincipal = new HashMap<>();
        final Map<Match.ServiceAccountMatch, List<Integer>> byAccount = new HashMap<>();
        final NameDrawers.Filing byNamespace = new NameDrawers.Filing();
        final NameDrawers.Filing byAccountName = new NameDrawers.Filing();
        final Map<MaskedBlock, Map<MaskedBlock, List<Integer>>> bySource = new HashMap<>();
        final Map<MaskedBlock, Map<MaskedBlock, List<Integer>>> byDestination = new HashMap<>();
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
                    case Anchor.Namespace(var name) -> byNamespace.add(name, position);
                    case Anchor.AccountName(var name) -> byAccountName.add(name, position);
                    case Anchor.Port(var port) -> add(byPort, port, position);
                    case Anchor.Source(var block) -> add(bySource, block, position);
                    case Anchor.Destination(var block) -> add(byDestination, block, position);
                }
            }
        }

        private static void add(
                Map<MaskedBlock, Map<MaskedBlock, List<Integer>>> blocks, CidrBlock block, int position) {
            var masked = MaskedBlock.of(block);
            var length = new MaskedBlock(masked.v6(), 0, 0, masked.highMask(), masked.lowMask());
            add(blocks.computeIfAbsent(length, _ -> new TreeMap<>(BlocksOfOneLength.ORDER)), masked, position);
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

        private BlocksOfOneLength(Map<MaskedBlock, List<Integer>> drawers) {
            blocks = drawers.keySet().toArray(MaskedBlock[]::new);
            filed = drawers.values().stream().map(PolicyTable::positions).toArray(int[][]::new);
        }

        static BlocksOfOneLength[] of(Map<MaskedBlock, Map<MaskedBlock, List<Integer>>> byLength) {
            return byLength.values().stream().map(BlocksOfOneLength::new).toArray(BlocksOfOneLength[]::new);
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
