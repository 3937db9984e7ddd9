/// YAML text as mappings, lists and scalars that know their place and their path. Start at {@link
/// io.loam.config.yaml.YamlText}.
@NullMarked
package io.loam.config.yaml;

import org.jspecify.annotations.NullMarked;
