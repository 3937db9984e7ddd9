package io.loam.model.policy;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// The rules of policies of one action in the order in which they are asked, found by what they match.
///
/// Design. Thousands of policies in one namespace are usual where each names its callers, and asking each about
/// each connection made a decision cost half a millisecond. So a rule is filed under its {@link Anchor}s, and a
/// connection asks only what is filed under what it has: its identity, its namespace and account, its addresses
/// and its port. Rules without anchors (negations, `*`, rules for everybody) are always asked. Rules are
/// counted through all policies, and every drawer holds their numbers in ascending order: the first match in
/// the order of all policies comes out, as if they had been asked one by one.
///
/// Asking allocates nothing. Making a table of 100,000 rules takes a moment, so it is made with the snapshot
/// ({@link PolicyLayer}) and never on an event loop.
final class PolicyTable {
    /// Fewer rules are asked one by one; finding them takes longer.
    private static final int FEWEST_FILED = 8;

    private final CompiledPolicy[] policies;
    private final int[] firstRule; // of each policy; one more than there are policies
    private final int[] policyOf; // of each rule
    private final int[] always;
    private final RuleIndex index;

    private PolicyTable(CompiledPolicy[] policies, int[] firstRule, int[] always, RuleIndex index) {
        this.policies = policies;
        this.firstRule = firstRule;
        this.policyOf = new int[firstRule[policies.length]];
        for (int policy = 0; policy < policies.length; policy++) {
            Arrays.fill(policyOf, firstRule[policy], firstRule[policy + 1], policy);
        }
        this.always = always;
        this.index = index;
    }

    /// @param policies in the order in which they are to be asked
    static PolicyTable of(List<CompiledPolicy> policies) {
        var firstRule = new int[policies.size() + 1];
        for (int i = 0; i < policies.size(); i++) {
            firstRule[i + 1] = firstRule[i] + policies.get(i).ruleCount();
        }
        int rules = firstRule[policies.size()];
        var frequency = new Frequency(rules);
        boolean filed = rules >= FEWEST_FILED;
        if (filed) {
            for (var policy : policies) {
                policy.rules().forEach(rule -> Anchor.candidates(rule).forEach(frequency::count));
            }
        }
        var always = IntStream.builder();
        var index = new RuleIndex.Builder();
        int position = 0;
        for (var policy : policies) {
            for (var rule : policy.rules()) {
                var anchors = filed ? Anchor.of(rule, frequency::of) : null;
                if (anchors == null) {
                    always.add(position);
                } else {
                    for (var anchor : anchors) {
                        index.file(anchor, position);
                    }
                }
                position++;
            }
        }
        return new PolicyTable(
                policies.toArray(CompiledPolicy[]::new),
                firstRule,
                always.build().toArray(),
                index.build());
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
        int first = firstAlways(connection, from);
        var peer = connection.peer();
        if (peer != null) {
            first = first(RuleIndex.ofPrincipal(peer), connection, from, first);
            first = first(RuleIndex.ofAccount(peer.namespace(), peer.serviceAccount()), connection, from, first);
            first = firstOfAccountName(peer.serviceAccount(), connection, from, first);
        }
        first = firstOfNamespace(peer == null ? "" : peer.namespace(), connection, from, first);
        for (var length : index.sourceLengths()) {
            var address = connection.source();
            if (length.v6() == address.v6()) {
                int hash = RuleIndex.ofSource(address.high() & length.highMask(), address.low() & length.lowMask());
                first = first(hash, connection, from, first);
            }
        }
        for (var length : index.destinationLengths()) {
            var address = connection.destination();
            if (length.v6() == address.v6()) {
                int hash =
                        RuleIndex.ofDestination(address.high() & length.highMask(), address.low() & length.lowMask());
                first = first(hash, connection, from, first);
            }
        }
        first = first(RuleIndex.ofPort(connection.destinationPort()), connection, from, first);
        return first == policyOf.length ? -1 : first;
    }

    private int firstAlways(ConnectionAttributes connection, int from) {
        int start = Arrays.binarySearch(always, from);
        for (int i = start < 0 ? -start - 1 : start; i < always.length; i++) {
            if (matches(always[i], connection)) {
                return always[i];
            }
        }
        return policyOf.length;
    }

    private int firstOfNamespace(String name, ConnectionAttributes connection, int from, int before) {
        int first = first(RuleIndex.ofNamespace(name), connection, from, before);
        var lengths = index.namespacePrefixes();
        int characters = 0;
        for (int length = 1; length < lengths.length && length <= name.length(); length++) {
            characters = RuleIndex.grown(characters, name.charAt(length - 1));
            if (lengths[length]) {
                first = first(RuleIndex.ofNamespacePrefix(characters), connection, from, first);
            }
        }
        lengths = index.namespaceSuffixes();
        characters = 0;
        for (int length = 1; length < lengths.length && length <= name.length(); length++) {
            characters = RuleIndex.grown(characters, name.charAt(name.length() - length));
            if (lengths[length]) {
                first = first(RuleIndex.ofNamespaceSuffix(characters), connection, from, first);
            }
        }
        return first;
    }

    /// Accounts are filed under their ends, but under no beginning: a principal's beginning goes by its namespace.
    private int firstOfAccountName(String name, ConnectionAttributes connection, int from, int before) {
        int first = first(RuleIndex.ofAccountName(name), connection, from, before);
        var lengths = index.accountSuffixes();
        int characters = 0;
        for (int length = 1; length < lengths.length && length <= name.length(); length++) {
            characters = RuleIndex.grown(characters, name.charAt(name.length() - length));
            if (lengths[length]) {
                first = first(RuleIndex.ofAccountSuffix(characters), connection, from, first);
            }
        }
        return first;
    }

    /// @param before positions from here on are of no interest
    /// @return the first rule under `hash` that matches, or `before`
    private int first(int hash, ConnectionAttributes connection, int from, int before) {
        for (int i = index.seek(hash, from); ; i++) {
            int position = index.positionAt(i, hash);
            if (position >= before) {
                return before;
            }
            if (matches(position, connection)) {
                return position;
            }
        }
    }

    private boolean matches(int position, ConnectionAttributes connection) {
        int policy = policyOf[position];
        return policies[policy].matches(position - firstRule[policy], connection);
    }

    /// How many rules could be filed under an anchor. Anchors of one hash are counted together, which leads to a worse
    /// choice now and then; to keep the anchors themselves took more memory than the table.
    private static final class Frequency {
        private final int[] counts;

        Frequency(int rules) {
            counts = new int[Math.max(1, 2 * Integer.highestOneBit(rules)) * 2];
        }

        void count(Anchor anchor) {
            counts[RuleIndex.of(anchor) & (counts.length - 1)]++;
        }

        int of(Anchor anchor) {
            return counts[RuleIndex.of(anchor) & (counts.length - 1)];
        }
    }
}
