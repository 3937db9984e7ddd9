/// Other programs, run with a deadline: `nft`, `ip`, `nsenter`. Start at {@link io.loam.cni.command.Commands}.
@NullMarked
package io.loam.cni.command;

import org.jspecify.annotations.NullMarked;
