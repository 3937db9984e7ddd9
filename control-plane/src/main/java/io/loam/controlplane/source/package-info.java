/// Where the control plane's documents come from: {@link io.loam.controlplane.source.DirectorySource}.
@NullMarked
package io.loam.controlplane.source;

import org.jspecify.annotations.NullMarked;
