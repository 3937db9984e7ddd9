package io.loam.model.mesh;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.IntRange;
import net.jqwik.api.constraints.Size;

final class PersistentMapTest {
    /// Keys in groups with one hash; the groups' hashes share their low bits, so that paths are long as well.
    record Key(int id) {
        @Override
        public int hashCode() {
            return (id % 7) << 27;
        }
    }

    record Step(boolean put, int key, int value) {
        static Step of(int seed) {
            return new Step(seed % 3 != 0, (seed >>> 4) % 60, seed);
        }
    }

    @Property
    void behavesAsAHashMapWhereHashesCollide(@ForAll @Size(max = 300) List<@IntRange(min = 0) Integer> seeds) {
        var expected = new HashMap<Key, Integer>();
        PersistentMap<Key, Integer> actual = PersistentMap.empty();
        for (var seed : seeds) {
            var step = Step.of(seed);
            var before = actual;
            var copyBefore = new HashMap<>(expected);
            if (step.put()) {
                expected.put(new Key(step.key()), step.value());
                actual = actual.with(new Key(step.key()), step.value());
            } else {
                expected.remove(new Key(step.key()));
                actual = actual.without(new Key(step.key()));
            }
            assertThat(asMap(before)).isEqualTo(copyBefore); // what was built before stays as it was
        }
        assertSame(actual, expected);
    }

    @Property
    void behavesAsAHashMap(@ForAll @Size(max = 1000) List<Integer> seeds) {
        var expected = new HashMap<Integer, Integer>();
        PersistentMap<Integer, Integer> actual = PersistentMap.empty();
        for (var seed : seeds) {
            if (seed % 3 == 0) {
                expected.remove(seed / 2);
                actual = actual.without(seed / 2);
            } else {
                expected.put(seed, seed);
                actual = actual.with(seed, seed);
            }
        }
        assertSame(actual, expected);
    }

    /// Removing takes the tree back to the shape it would have had without the removed entries.
    @Property
    void isEqualToAMapWithAnotherHistory(
            @ForAll @Size(max = 100) List<@IntRange(min = 0, max = 200) Integer> kept,
            @ForAll @Size(max = 100) List<@IntRange(min = 201, max = 400) Integer> dropped) {
        PersistentMap<Key, Integer> direct = PersistentMap.empty();
        PersistentMap<Key, Integer> detour = PersistentMap.empty();
        for (var key : dropped) {
            detour = detour.with(new Key(key), key);
        }
        for (var key : kept) {
            direct = direct.with(new Key(key), key);
            detour = detour.with(new Key(key), key);
        }
        for (var key : dropped) {
            detour = detour.without(new Key(key));
        }
        assertThat(detour).isEqualTo(direct).hasSameHashCodeAs(direct);
        assertThat(detour.values()).containsExactlyInAnyOrderElementsOf(direct.values());
    }

    private static <K> void assertSame(PersistentMap<K, Integer> actual, Map<K, Integer> expected) {
        assertThat(actual.size()).isEqualTo(expected.size());
        assertThat(asMap(actual)).isEqualTo(expected);
        expected.forEach((key, value) -> assertThat(actual.get(key)).isEqualTo(value));
        var visited = new HashMap<K, Integer>();
        actual.forEach((key, value) -> assertThat(visited.put(key, value)).isNull());
        assertThat(visited).isEqualTo(expected);
        assertThat(new ArrayList<>(actual.values())).containsExactlyInAnyOrderElementsOf(expected.values());
        assertThat(actual).isEqualTo(PersistentMap.copyOf(expected));
    }

    private static <K> Map<K, Integer> asMap(PersistentMap<K, Integer> map) {
        var copy = new HashMap<K, Integer>();
        for (var entry : map) {
            assertThat(copy.put(entry.getKey(), entry.getValue())).isNull();
        }
        return copy;
    }
}
