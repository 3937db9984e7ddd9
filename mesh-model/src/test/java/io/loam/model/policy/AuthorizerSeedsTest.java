package io.loam.model.policy;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// {@link AuthorizerPropertyTest} for a few seeds that stay the same: what the mutation test runs, hundreds of
/// times.
final class AuthorizerSeedsTest {
    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20})
    void decidesAsTheReferenceSays(long seed) {
        AuthorizerPropertyTest.compare(seed);
    }
}
