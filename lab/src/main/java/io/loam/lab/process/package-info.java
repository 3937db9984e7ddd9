/// What runs in a pod: containers as processes of this machine, their restarts, their probes. Start at
/// [io.loam.lab.process.PodRun].
///
/// A container has the pod's network namespace, and a mount and a UTS namespace of its own in which the files of
/// `/etc` that name resolution reads and the host name are the pod's. Everything else of the file system is the
/// machine's.
@NullMarked
package io.loam.lab.process;

import org.jspecify.annotations.NullMarked;
