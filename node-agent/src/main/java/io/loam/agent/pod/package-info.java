/// A pod as everything that serves it sees it: who it is and sockets in its namespace. Start at {@link
/// io.loam.agent.pod.LocalPod}.
@NullMarked
package io.loam.agent.pod;

import org.jspecify.annotations.NullMarked;
