/// The kernel's part of the mesh: redirection rules in a pod's network namespace, probe rules in the node's. Start at
/// {@link io.loam.cni.rules.PodRules} for the text and {@link io.loam.cni.rules.PodRedirection} for applying it.
@NullMarked
package io.loam.cni.rules;

import org.jspecify.annotations.NullMarked;
