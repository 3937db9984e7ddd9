/// Programs of this machine, run to their end. Start at [io.loam.lab.command.Command].
@NullMarked
package io.loam.lab.command;

import org.jspecify.annotations.NullMarked;
