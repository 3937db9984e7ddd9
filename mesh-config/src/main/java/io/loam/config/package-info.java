/// What users write, read with positions: start at {@link io.loam.config.ConfigReader}.
@NullMarked
package io.loam.config;

import org.jspecify.annotations.NullMarked;
