package io.loam.agent.crash;

import io.netty.channel.EventLoop;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// What an agent learns from those before it, and leaves to the next one.
///
/// @param isolated UIDs of the pods that are not to be served
/// @param living those that still serve
/// @param marks of this process
public record Predecessors(Set<String> isolated, LivingPredecessors living, CrashMarks marks) {
    private static final Logger log = LoggerFactory.getLogger(Predecessors.class);

    public Predecessors {
        isolated = Set.copyOf(isolated);
    }

    /// A directory that cannot be used must not keep the node without its agent: then nobody is isolated.
    ///
    /// @param directory empty where there is none
    /// @param workers event loops of this process
    public static Predecessors of(String directory, List<EventLoop> workers) {
        if (!directory.isEmpty()) {
            try {
                var path = Path.of(directory);
                var isolated = Culprits.isolated(path, Clock.systemUTC());
                var living = LivingPredecessors.in(path); // before there is a file of our own
                return new Predecessors(isolated, living, CrashMarks.open(path, workers));
            } catch (IOException | RuntimeException e) {
                log.error("pods that agents die of will not be isolated LOAM_STATE_DIR={}", directory, e);
            }
        }
        return new Predecessors(Set.of(), LivingPredecessors.NONE, CrashMarks.NONE);
    }
}
