/// What tests in namespaces start programs of ours from ({@link io.loam.it.programs.Programs}).
@NullMarked
package io.loam.it.programs;

import org.jspecify.annotations.NullMarked;
