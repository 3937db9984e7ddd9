/// The `loam` command. Start at [Main]: one class per subcommand, each a few lines over `io.loam.cli.lab`.
@NullMarked
package io.loam.cli;

import org.jspecify.annotations.NullMarked;
