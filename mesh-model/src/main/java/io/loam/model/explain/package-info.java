/// Why a connection is made or refused: the decisions of both agents, asked for every random number they could draw,
/// and asked again about meshes that differ a little. Start at {@link io.loam.model.explain.Explanation}.
@NullMarked
package io.loam.model.explain;

import org.jspecify.annotations.NullMarked;
