/// The servers every node talks to, with their sockets in the lab's fabric. Start at
/// [io.loam.lab.fabric.FabricServers].
@NullMarked
package io.loam.lab.fabric;

import org.jspecify.annotations.NullMarked;
