/// What users are told about failed connections. Start at {@link io.loam.cli.explain.ErrorText}.
@NullMarked
package io.loam.cli.explain;

import org.jspecify.annotations.NullMarked;
