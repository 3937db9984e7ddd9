package io.loam.model.policy;

import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Presence;
import io.loam.model.policy.StringMatch.Suffix;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What is filed under names: the whole name, its beginning or its end. Immutable; finding allocates nothing.
///
/// Beginnings (and ends) are in a hash table each. A name is walked once and its hash grows with each character; where
/// something of that length is filed, the table is asked. So finding costs the length of the name, however many
/// beginnings there are.
final class NameDrawers {
    private final Map<String, int[]> exact;
    private final AffixTable prefixes;
    private final AffixTable suffixes;

    private NameDrawers(Map<String, int[]> exact, AffixTable prefixes, AffixTable suffixes) {
        this.exact = exact;
        this.prefixes = prefixes;
        this.suffixes = suffixes;
    }

    /// @param filed under names that are no presence, and no empty prefix or suffix
    static NameDrawers of(Map<StringMatch, int[]> filed) {
        var exact = new HashMap<String, int[]>();
        var prefixes = new HashMap<String, int[]>();
        var suffixes = new HashMap<String, int[]>();
        filed.forEach((name, drawer) -> {
            switch (name) {
                case Exact(var text) -> exact.put(text, drawer);
                case Prefix(var text) -> prefixes.put(text, drawer);
                case Suffix(var text) -> suffixes.put(text, drawer);
                case Presence() -> throw new IllegalArgumentException("name: * (expected: one that tells names apart)");
            }
        });
        return new NameDrawers(exact, AffixTable.of(prefixes, false), AffixTable.of(suffixes, true));
    }

    boolean isEmpty() {
        return exact.isEmpty() && prefixes.isEmpty() && suffixes.isEmpty();
    }

    /// What is filed under the whole name.
    int @Nullable [] exact(String name) {
        return exact.get(name);
    }

    AffixTable prefixes() {
        return prefixes;
    }

    AffixTable suffixes() {
        return suffixes;
    }

    /// Beginnings or ends of names. Open addressing with linear probing, half full at most.
    static final class AffixTable {
        private static final AffixTable EMPTY = new AffixTable(new String[0], new int[0][], new boolean[1], false);

        private final @Nullable String[] texts;
        private final int[][] drawers;
        private final boolean[] isLength; // whether something of this length is filed
        private final boolean fromEnd;

        private AffixTable(@Nullable String[] texts, int[][] drawers, boolean[] isLength, boolean fromEnd) {
            this.texts = texts;
            this.drawers = drawers;
            this.isLength = isLength;
            this.fromEnd = fromEnd;
        }

        static AffixTable of(Map<String, int[]> filed, boolean fromEnd) {
            if (filed.isEmpty()) {
                return EMPTY;
            }
            int capacity = Integer.highestOneBit(filed.size()) * 4;
            int longest = filed.keySet().stream().mapToInt(String::length).max().orElse(0);
            var table = new AffixTable(new String[capacity], new int[capacity][], new boolean[longest + 1], fromEnd);
            filed.forEach(table::put);
            return table;
        }

        private void put(String text, int[] drawer) {
            int hash = 0;
            for (int i = 0; i < text.length(); i++) {
                hash = 31 * hash + charAt(text, i);
            }
            int slot = slot(hash);
            while (texts[slot] != null) {
                slot = (slot + 1) & (texts.length - 1);
            }
            texts[slot] = text;
            drawers[slot] = drawer;
            isLength[text.length()] = true;
        }

        boolean isEmpty() {
            return texts.length == 0;
        }

        /// Lengths from 1 to this one may have something filed.
        int longest() {
            return isLength.length - 1;
        }

        /// What is filed under the first (or last) `length` characters of `name`.
        ///
        /// @param hash of those characters, grown by {@link #grow} from 0
        int @Nullable [] find(String name, int length, int hash) {
            if (!isLength[length]) {
                return null;
            }
            int offset = fromEnd ? name.length() - length : 0;
            int slot = slot(hash);
            for (var text = texts[slot]; text != null; text = texts[slot]) {
                if (text.length() == length && name.startsWith(text, offset)) {
                    return drawers[slot];
                }
                slot = (slot + 1) & (texts.length - 1);
            }
            return null;
        }

        /// The hash of one character more.
        ///
        /// @param index of that character, counted from the end of the name where the table does
        int grow(int hash, String name, int index) {
            return 31 * hash + charAt(name, index);
        }

        private char charAt(String text, int index) {
            return text.charAt(fromEnd ? text.length() - 1 - index : index);
        }

        private int slot(int hash) {
            return (hash ^ hash >>> 16) & (texts.length - 1);
        }
    }

    /// The drawers in the making. Positions come in ascending order.
    static final class Filing {
        private final Map<StringMatch, List<Integer>> drawers = new HashMap<>();

        void add(StringMatch name, int position) {
            drawers.computeIfAbsent(name, _ -> new ArrayList<>()).add(position);
        }

        NameDrawers build() {
            var filed = new HashMap<StringMatch, int[]>();
            drawers.forEach((name, positions) -> filed.put(
                    name, positions.stream().mapToInt(Integer::intValue).toArray()));
            return NameDrawers.of(filed);
        }
    }
}
