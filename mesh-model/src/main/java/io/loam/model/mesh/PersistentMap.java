package io.loam.model.mesh;

import java.util.AbstractCollection;
import java.util.Arrays;
import java.util.Collection;
import java.util.Iterator;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// An immutable hash map whose changed copies share all but the path to the change. Keys and values are never
/// null. Instances may be read by any thread.
///
/// Design: a compressed hash-array mapped prefix tree (Bagwell, "Ideal Hash Trees", 2001; Steindorfer and Vinju,
/// "Optimizing Hash-Array Mapped Tries for Fast and Lean Immutable JVM Collections", OOPSLA 2015). Every level
/// consumes five bits of the hash, so that 100,000 entries are four levels deep. A node holds its entries and
/// its children in one array, entries first, with one bitmap for each kind; the place of an item is the number
/// of bits set below its own. A change copies the arrays on the path from the root, about 150 bytes per level.
///
/// The shape follows from the contents alone: a subtree never holds less than two entries (a removal that
/// leaves one moves it up), so a map does not remember what it once held. Keys whose 32 bits of hash are all
/// equal end in a collision node below the last level, which is searched in order.
public final class PersistentMap<K, V> implements Iterable<Map.Entry<K, V>> {
    private static final int BITS_PER_LEVEL = 5;
    private static final int LEVEL_MASK = (1 << BITS_PER_LEVEL) - 1;
    /// Seven levels use up 32 bits of hash; one more may be a collision node.
    private static final int MAX_DEPTH = 8;

    private static final PersistentMap<?, ?> EMPTY = new PersistentMap<>(new TreeNode(0, 0, new Object[0]), 0);

    private final Node root;
    private final int size;

    private PersistentMap(Node root, int size) {
        this.root = root;
        this.size = size;
    }

    @SuppressWarnings("unchecked") // nothing in it has the type of a key or value
    public static <K, V> PersistentMap<K, V> empty() {
        return (PersistentMap<K, V>) EMPTY;
    }

    public static <K, V> PersistentMap<K, V> copyOf(Map<? extends K, ? extends V> source) {
        PersistentMap<K, V> map = empty();
        for (var entry : source.entrySet()) {
            map = map.with(entry.getKey(), entry.getValue());
        }
        return map;
    }

    public int size() {
        return size;
    }

    public boolean isEmpty() {
        return size == 0;
    }

    /// Allocates nothing.
    @SuppressWarnings("unchecked") // only with() puts values in
    public @Nullable V get(K key) {
        return (V) root.find(key, spread(key.hashCode()), 0);
    }

    public boolean containsKey(K key) {
        return get(key) != null;
    }

    /// The map with `key` standing for `value`; this map if it already stands for that very object.
    public PersistentMap<K, V> with(K key, V value) {
        int hash = spread(key.hashCode());
        boolean present = root.find(key, hash, 0) != null;
        var next = root.with(key, value, hash, 0);
        return next == root ? this : new PersistentMap<>(next, present ? size : size + 1);
    }

    /// The map without `key`; this map if it has no such key.
    public PersistentMap<K, V> without(K key) {
        var next = root.without(key, spread(key.hashCode()), 0);
        if (next == root) {
            return this;
        }
        return size == 1 ? empty() : new PersistentMap<>(next, size - 1);
    }

    @SuppressWarnings("unchecked") // only with() puts keys and values in
    public void forEach(BiConsumer<? super K, ? super V> action) {
        root.forEach((BiConsumer<Object, Object>) (BiConsumer<?, ?>) action);
    }

    /// All values, in the order of the hashes of their keys.
    public Collection<V> values() {
        return new Values<>(this);
    }

    @Override
    public Iterator<Map.Entry<K, V>> iterator() {
        var cursor = new Cursor<K, V>(root);
        return new Iterator<>() {
            @Override
            public boolean hasNext() {
                return cursor.hasNext();
            }

            @Override
            public Map.Entry<K, V> next() {
                cursor.advance();
                return Map.entry(cursor.key(), cursor.value());
            }
        };
    }

    /// Equal contents, whatever the history.
    @Override
    public boolean equals(@Nullable Object other) {
        return this == other
                || (other instanceof PersistentMap<?, ?> map && size == map.size && root.sameContents(map.root));
    }

    @Override
    public int hashCode() {
        int sum = 0;
        for (var entry : this) {
            sum += entry.hashCode();
        }
        return sum;
    }

    @Override
    public String toString() {
        var text = new StringBuilder("{");
        forEach((key, value) -> text.append(text.length() == 1 ? "" : ", ")
                .append(key)
                .append('=')
                .append(value));
        return text.append('}').toString();
    }

    /// The tree takes low bits first, and host order addresses differ most in their high ones.
    private static int spread(int hash) {
        return hash ^ (hash >>> 16);
    }

    /// Entries are pairs at the front of `items`, children follow.
    private abstract static sealed class Node {
        final Object[] items;

        Node(Object[] items) {
            this.items = items;
        }

        abstract int entries();

        abstract @Nullable Object find(Object key, int hash, int shift);

        abstract Node with(Object key, Object value, int hash, int shift);

        abstract Node without(Object key, int hash, int shift);

        final boolean isSingleEntry() {
            return items.length == 2 && entries() == 1;
        }

        final void forEach(BiConsumer<Object, Object> action) {
            int children = 2 * entries();
            for (int i = 0; i < children; i += 2) {
                action.accept(items[i], items[i + 1]);
            }
            for (int i = children; i < items.length; i++) {
                ((Node) items[i]).forEach(action);
            }
        }

        abstract boolean sameContents(Node other);

        static Object[] replaced(Object[] items, int at, Object item) {
            var copy = items.clone();
            copy[at] = item;
            return copy;
        }

        static Object[] withoutPair(Object[] items, int at) {
            var copy = new Object[items.length - 2];
            System.arraycopy(items, 0, copy, 0, at);
            System.arraycopy(items, at + 2, copy, at, copy.length - at);
            return copy;
        }
    }

    private static final class TreeNode extends Node {
        private final int entryMap;
        private final int childMap;

        TreeNode(int entryMap, int childMap, Object[] items) {
            super(items);
            this.entryMap = entryMap;
            this.childMap = childMap;
        }

        /// The smallest subtree that tells two different keys apart.
        static Node of(Object key1, Object value1, int hash1, Object key2, Object value2, int hash2, int shift) {
            if (shift >= Integer.SIZE) {
                return new CollisionNode(new Object[] {key1, value1, key2, value2});
            }
            int bit1 = bit(hash1, shift);
            int bit2 = bit(hash2, shift);
            if (bit1 == bit2) {
                var child = of(key1, value1, hash1, key2, value2, hash2, shift + BITS_PER_LEVEL);
                return new TreeNode(0, bit1, new Object[] {child});
            }
            return Integer.compareUnsigned(bit1, bit2) < 0
                    ? new TreeNode(bit1 | bit2, 0, new Object[] {key1, value1, key2, value2})
                    : new TreeNode(bit1 | bit2, 0, new Object[] {key2, value2, key1, value1});
        }

        private static int bit(int hash, int shift) {
            return 1 << ((hash >>> shift) & LEVEL_MASK);
        }

        private int entryAt(int bit) {
            return 2 * Integer.bitCount(entryMap & (bit - 1));
        }

        private int childAt(int bit) {
            return 2 * entries() + Integer.bitCount(childMap & (bit - 1));
        }

        @Override
        int entries() {
            return Integer.bitCount(entryMap);
        }

        @Override
        @Nullable
        Object find(Object key, int hash, int shift) {
            int bit = bit(hash, shift);
            if ((entryMap & bit) != 0) {
                int at = entryAt(bit);
                return items[at].equals(key) ? items[at + 1] : null;
            }
            return (childMap & bit) != 0 ? ((Node) items[childAt(bit)]).find(key, hash, shift + BITS_PER_LEVEL) : null;
        }

        @Override
        @SuppressWarnings("ReferenceEquality") // equals() on a large value may cost more than the copy
        Node with(Object key, Object value, int hash, int shift) {
            int bit = bit(hash, shift);
            if ((childMap & bit) != 0) {
                int at = childAt(bit);
                var child = (Node) items[at];
                var next = child.with(key, value, hash, shift + BITS_PER_LEVEL);
                return next == child ? this : new TreeNode(entryMap, childMap, replaced(items, at, next));
            }
            int at = entryAt(bit);
            if ((entryMap & bit) == 0) {
                var copy = new Object[items.length + 2];
                System.arraycopy(items, 0, copy, 0, at);
                copy[at] = key;
                copy[at + 1] = value;
                System.arraycopy(items, at, copy, at + 2, items.length - at);
                return new TreeNode(entryMap | bit, childMap, copy);
            }
            var present = items[at];
            if (present.equals(key)) {
                return items[at + 1] == value ? this : new TreeNode(entryMap, childMap, replaced(items, at + 1, value));
            }
            var child =
                    of(present, items[at + 1], spread(present.hashCode()), key, value, hash, shift + BITS_PER_LEVEL);
            return entryToChild(bit, at, child);
        }

        @Override
        Node without(Object key, int hash, int shift) {
            int bit = bit(hash, shift);
            if ((entryMap & bit) != 0) {
                int at = entryAt(bit);
                return items[at].equals(key) ? new TreeNode(entryMap ^ bit, childMap, withoutPair(items, at)) : this;
            }
            if ((childMap & bit) == 0) {
                return this;
            }
            int at = childAt(bit);
            var child = (Node) items[at];
            var next = child.without(key, hash, shift + BITS_PER_LEVEL);
            if (next == child) {
                return this;
            }
            return next.isSingleEntry()
                    ? childToEntry(bit, at, next)
                    : new TreeNode(entryMap, childMap, replaced(items, at, next));
        }

        private TreeNode entryToChild(int bit, int entryAt, Node child) {
            var copy = new Object[items.length - 1];
            int childAt = childAt(bit) - 2;
            System.arraycopy(items, 0, copy, 0, entryAt);
            System.arraycopy(items, entryAt + 2, copy, entryAt, childAt - entryAt);
            copy[childAt] = child;
            System.arraycopy(items, childAt + 2, copy, childAt + 1, copy.length - childAt - 1);
            return new TreeNode(entryMap ^ bit, childMap | bit, copy);
        }

        private TreeNode childToEntry(int bit, int childAt, Node single) {
            var copy = new Object[items.length + 1];
            int entryAt = entryAt(bit);
            System.arraycopy(items, 0, copy, 0, entryAt);
            copy[entryAt] = single.items[0];
            copy[entryAt + 1] = single.items[1];
            System.arraycopy(items, entryAt, copy, entryAt + 2, childAt - entryAt);
            System.arraycopy(items, childAt + 1, copy, childAt + 2, items.length - childAt - 1);
            return new TreeNode(entryMap | bit, childMap ^ bit, copy);
        }

        /// Shapes are canonical, so equal maps have equal trees; shared subtrees are not looked into.
        @Override
        boolean sameContents(Node other) {
            if (this == other) {
                return true;
            }
            if (!(other instanceof TreeNode tree) || entryMap != tree.entryMap || childMap != tree.childMap) {
                return false;
            }
            int children = 2 * entries();
            if (!Arrays.equals(items, 0, children, tree.items, 0, children)) {
                return false;
            }
            for (int i = children; i < items.length; i++) {
                if (!((Node) items[i]).sameContents((Node) tree.items[i])) {
                    return false;
                }
            }
            return true;
        }
    }

    /// Different keys with the same hash. Only pairs, at least two of them except while being removed.
    private static final class CollisionNode extends Node {
        CollisionNode(Object[] items) {
            super(items);
        }

        @Override
        int entries() {
            return items.length / 2;
        }

        private int indexOf(Object key) {
            for (int i = 0; i < items.length; i += 2) {
                if (items[i].equals(key)) {
                    return i;
                }
            }
            return -1;
        }

        @Override
        @Nullable
        Object find(Object key, int hash, int shift) {
            int at = indexOf(key);
            return at < 0 ? null : items[at + 1];
        }

        @Override
        @SuppressWarnings("ReferenceEquality") // equals() on a large value may cost more than the copy
        Node with(Object key, Object value, int hash, int shift) {
            int at = indexOf(key);
            if (at >= 0) {
                return items[at + 1] == value ? this : new CollisionNode(replaced(items, at + 1, value));
            }
            var copy = Arrays.copyOf(items, items.length + 2);
            copy[items.length] = key;
            copy[items.length + 1] = value;
            return new CollisionNode(copy);
        }

        @Override
        Node without(Object key, int hash, int shift) {
            int at = indexOf(key);
            return at < 0 ? this : new CollisionNode(withoutPair(items, at));
        }

        @Override
        boolean sameContents(Node other) {
            if (!(other instanceof CollisionNode collision) || items.length != collision.items.length) {
                return false;
            }
            for (int i = 0; i < items.length; i += 2) {
                int at = collision.indexOf(items[i]);
                if (at < 0 || !items[i + 1].equals(collision.items[at + 1])) {
                    return false;
                }
            }
            return true;
        }
    }

    /// Walks the tree: the entries of a node, then its children.
    private static final class Cursor<K, V> {
        private final Node[] path = new Node[MAX_DEPTH];
        private final int[] nextItem = new int[MAX_DEPTH];
        private int depth;
        private Node node;
        private int at;

        Cursor(Node root) {
            path[0] = root;
            node = root;
        }

        /// Descends to the next node that has an entry left; stays there until {@link #advance}.
        boolean hasNext() {
            while (depth >= 0) {
                var top = path[depth];
                int item = nextItem[depth];
                if (item < 2 * top.entries()) {
                    return true;
                }
                if (item < top.items.length) {
                    nextItem[depth]++;
                    depth++;
                    path[depth] = (Node) top.items[item];
                    nextItem[depth] = 0;
                } else {
                    depth--;
                }
            }
            return false;
        }

        void advance() {
            if (!hasNext()) {
                throw new NoSuchElementException();
            }
            node = path[depth];
            at = nextItem[depth];
            nextItem[depth] += 2;
        }

        @SuppressWarnings("unchecked") // only with() puts keys in
        K key() {
            return (K) node.items[at];
        }

        @SuppressWarnings("unchecked") // only with() puts values in
        V value() {
            return (V) node.items[at + 1];
        }
    }

    private static final class Values<V> extends AbstractCollection<V> {
        private final PersistentMap<?, V> map;

        Values(PersistentMap<?, V> map) {
            this.map = map;
        }

        @Override
        public int size() {
            return map.size;
        }

        @Override
        @SuppressWarnings("unchecked") // only with() puts values in
        public void forEach(Consumer<? super V> action) {
            map.root.forEach((key, value) -> action.accept((V) value));
        }

        @Override
        public Iterator<V> iterator() {
            var cursor = new Cursor<Object, V>(map.root);
            return new Iterator<>() {
                @Override
                public boolean hasNext() {
                    return cursor.hasNext();
                }

                @Override
                public V next() {
                    cursor.advance();
                    return cursor.value();
                }
            };
        }
    }
}
