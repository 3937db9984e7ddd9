package io.loam.model.policy;

import io.loam.model.address.MaskedBlock;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Presence;
import io.loam.model.policy.StringMatch.Suffix;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.Set;

/// Positions of rules by the hash of the {@link Anchor}s they are filed under. Immutable; finding allocates nothing.
///
/// Nothing but hashes is kept, some 12 bytes for a rule under one anchor: who finds a rule compares it with the
/// connection anyway, so two anchors of one hash cost a comparison and no more. Hash and position are one number, the
/// numbers are sorted, and beside them stands where the hashes begin that share their first bits.
///
/// Beginnings and ends of names, and blocks of addresses, are looked up once for each length that is filed at all; the
/// hash of a beginning grows with each character. So finding costs the length of a name and not the number of rules.
final class RuleIndex {
    private static final int HASH_BITS = 31;

    private static final int PRINCIPAL = 1;
    private static final int ACCOUNT = 2;
    private static final int NAMESPACE = 3; // and the next two: its beginning, its end
    private static final int ACCOUNT_NAME = 6; // and the next two
    private static final int SOURCE = 9;
    private static final int DESTINATION = 10;
    private static final int PORT = 11;

    private final long[] entries; // hash << 32 | position, ascending
    private final int[] starts; // in entries, by the first bits of the hash
    private final int shift; // leaves those bits
    private final boolean[] namespacePrefixes; // of which lengths something is filed
    private final boolean[] namespaceSuffixes;
    private final boolean[] accountSuffixes;
    private final MaskedBlock[] sourceLengths; // one block of each family and length
    private final MaskedBlock[] destinationLengths;

    private RuleIndex(Builder filed) {
        entries = Arrays.stream(filed.entries, 0, filed.size)
                .sorted()
                .distinct() // two spellings of one block
                .toArray();
        int bits = Integer.SIZE - Integer.numberOfLeadingZeros(entries.length);
        shift = HASH_BITS - bits;
        starts = new int[(1 << bits) + 1];
        for (long entry : entries) {
            starts[((int) (entry >>> Integer.SIZE) >>> shift) + 1]++;
        }
        for (int i = 1; i < starts.length; i++) {
            starts[i] += starts[i - 1];
        }
        namespacePrefixes = lengths(filed.namespacePrefixes);
        namespaceSuffixes = lengths(filed.namespaceSuffixes);
        accountSuffixes = lengths(filed.accountSuffixes);
        sourceLengths = filed.sourceLengths.toArray(MaskedBlock[]::new);
        destinationLengths = filed.destinationLengths.toArray(MaskedBlock[]::new);
    }

    private static boolean[] lengths(BitSet filed) {
        var lengths = new boolean[filed.length()];
        filed.stream().forEach(length -> lengths[length] = true);
        return lengths;
    }

    /// Where the rules under a hash are to be read from, by {@link #positionAt}.
    ///
    /// @param from positions before this one are of no interest
    int seek(int hash, int from) {
        int bucket = hash >>> shift;
        int found = Arrays.binarySearch(entries, starts[bucket], starts[bucket + 1], entry(hash, from));
        return found >= 0 ? found : -found - 1;
    }

    /// @return the largest number where there are no more rules under this hash
    int positionAt(int index, int hash) {
        return index < entries.length && (int) (entries[index] >>> Integer.SIZE) == hash
                ? (int) entries[index]
                : Integer.MAX_VALUE;
    }

    boolean[] namespacePrefixes() {
        return namespacePrefixes;
    }

    boolean[] namespaceSuffixes() {
        return namespaceSuffixes;
    }

    boolean[] accountSuffixes() {
        return accountSuffixes;
    }

    MaskedBlock[] sourceLengths() {
        return sourceLengths;
    }

    MaskedBlock[] destinationLengths() {
        return destinationLengths;
    }

    static int ofPrincipal(SpiffeId peer) {
        int names = 31 * peer.namespace().hashCode() + peer.serviceAccount().hashCode();
        return mixed(PRINCIPAL, 31 * names + peer.trustDomain().hashCode());
    }

    static int ofAccount(String namespace, String serviceAccount) {
        return mixed(ACCOUNT, 31 * namespace.hashCode() + serviceAccount.hashCode());
    }

    static int ofNamespace(String name) {
        return mixed(NAMESPACE, name.hashCode());
    }

    /// @param characters grown by {@link #grown}, as in the others
    static int ofNamespacePrefix(int characters) {
        return mixed(NAMESPACE + 1, characters);
    }

    static int ofNamespaceSuffix(int characters) {
        return mixed(NAMESPACE + 2, characters);
    }

    static int ofAccountName(String name) {
        return mixed(ACCOUNT_NAME, name.hashCode());
    }

    static int ofAccountSuffix(int characters) {
        return mixed(ACCOUNT_NAME + 2, characters);
    }

    static int ofSource(long high, long low) {
        return mixed(SOURCE, ofBits(high, low));
    }

    static int ofDestination(long high, long low) {
        return mixed(DESTINATION, ofBits(high, low));
    }

    static int ofPort(int port) {
        return mixed(PORT, port);
    }

    /// The hash of one character more, from 0: beginnings from their first, ends from their last on.
    static int grown(int characters, char next) {
        return 31 * characters + next;
    }

    private static int ofBits(long high, long low) {
        return 31 * Long.hashCode(high * 0x9E3779B97F4A7C15L) + Long.hashCode(low * 0x9E3779B97F4A7C15L);
    }

    /// Spreads what differs in few bits, ports for example, over all of them (the last step of MurmurHash3).
    private static int mixed(int kind, int value) {
        int hash = value + kind * 0x9E3779B9;
        hash = (hash ^ hash >>> 16) * 0x85EBCA6B;
        hash = (hash ^ hash >>> 13) * 0xC2B2AE35;
        return (hash ^ hash >>> 16) >>> 1;
    }

    private static long entry(int hash, int position) {
        return (long) hash << Integer.SIZE | position;
    }

    static int of(Anchor anchor) {
        return switch (anchor) {
            case Anchor.Principal(var peer) -> ofPrincipal(peer);
            case Anchor.Account(var account) -> ofAccount(account.namespace(), account.serviceAccount());
            case Anchor.Namespace(var name) -> ofName(NAMESPACE, name);
            case Anchor.AccountName(var name) -> ofName(ACCOUNT_NAME, name);
            case Anchor.Port(var port) -> ofPort(port);
            case Anchor.Source(var block) -> {
                var masked = MaskedBlock.of(block);
                yield ofSource(masked.high(), masked.low());
            }
            case Anchor.Destination(var block) -> {
                var masked = MaskedBlock.of(block);
                yield ofDestination(masked.high(), masked.low());
            }
        };
    }

    private static int ofName(int kind, StringMatch name) {
        return switch (name) {
            case Exact(var text) -> mixed(kind, text.hashCode());
            case Prefix(var text) -> mixed(kind + 1, grownBy(text));
            case Suffix(var text) ->
                mixed(kind + 2, grownBy(new StringBuilder(text).reverse().toString()));
            case Presence() -> throw new IllegalArgumentException("name: * (expected: one that tells names apart)");
        };
    }

    private static int grownBy(String text) {
        int characters = 0;
        for (int i = 0; i < text.length(); i++) {
            characters = grown(characters, text.charAt(i));
        }
        return characters;
    }

    /// An index in the making.
    static final class Builder {
        private long[] entries = new long[16];
        private int size;
        private final BitSet namespacePrefixes = new BitSet();
        private final BitSet namespaceSuffixes = new BitSet();
        private final BitSet accountSuffixes = new BitSet();
        private final Set<MaskedBlock> sourceLengths = new LinkedHashSet<>();
        private final Set<MaskedBlock> destinationLengths = new LinkedHashSet<>();

        void file(Anchor anchor, int position) {
            if (size == entries.length) {
                entries = Arrays.copyOf(entries, 2 * size);
            }
            entries[size++] = entry(of(anchor), position);
            switch (anchor) {
                case Anchor.Namespace(Prefix(var text)) -> namespacePrefixes.set(text.length());
                case Anchor.Namespace(Suffix(var text)) -> namespaceSuffixes.set(text.length());
                case Anchor.AccountName(Suffix(var text)) -> accountSuffixes.set(text.length());
                case Anchor.AccountName(Prefix(var text)) ->
                    throw new IllegalArgumentException("account: " + text + "* (expected: a whole name or an end)");
                case Anchor.Source(var block) -> sourceLengths.add(length(MaskedBlock.of(block)));
                case Anchor.Destination(var block) -> destinationLengths.add(length(MaskedBlock.of(block)));
                case Anchor.Principal _, Anchor.Account _, Anchor.Port _ -> {}
                case Anchor.Namespace _, Anchor.AccountName _ -> {} // whole names have one length
            }
        }

        private static MaskedBlock length(MaskedBlock block) {
            return new MaskedBlock(block.v6(), 0, 0, block.highMask(), block.lowMask());
        }

        RuleIndex build() {
            return new RuleIndex(this);
        }
    }
}
