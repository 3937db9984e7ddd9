/// The control plane: from what users write and what runs to what each proxy is told. Start at {@link
/// io.loam.controlplane.ControlPlane}.
@NullMarked
package io.loam.controlplane;

import org.jspecify.annotations.NullMarked;
