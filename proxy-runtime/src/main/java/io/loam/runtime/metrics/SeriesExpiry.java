package io.loam.runtime.metrics;

import io.loam.model.mesh.MeshView;
import io.loam.runtime.time.Timer;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Forgets series of what the mesh does not know any more: pods come and go all day, and each would leave some
/// kilobytes in every scrape until the agent ends (wire reference, section 13, row 14).
///
/// A series goes when its names are gone **and** nothing was counted for {@link #RETENTION}: every scraper has seen the
/// last values then. Series of what lives stay, however quiet they are: a counter that begins again at 0 for no reason
/// loses increments.
public final class SeriesExpiry {
    private static final Logger log = LoggerFactory.getLogger(SeriesExpiry.class);

    /// Several scrapes of the longest interval in use (60 s).
    public static final Duration RETENTION = Duration.ofMinutes(5);

    /// How often is looked: a series goes 5 to 6 minutes after its end.
    public static final Duration INTERVAL = Duration.ofMinutes(1);

    /// Owns series that can be forgotten.
    public interface Expiring {
        /// One call at a time.
        ///
        /// @return how many were forgotten
        int expire(LiveNames live, Instant now);
    }

    private final Timer clock;
    private final MeshView mesh;
    private final Executor executor;
    private final List<Expiring> expiring;

    /// @param executor where is looked, once per interval; may be a new thread each time
    public SeriesExpiry(Timer clock, MeshView mesh, Executor executor, List<Expiring> expiring) {
        this.clock = clock;
        this.mesh = mesh;
        this.executor = executor;
        this.expiring = List.copyOf(expiring);
    }

    /// Looks for the first time after one interval, and then for as long as the process lives.
    public void start() {
        clock.after(INTERVAL, () -> executor.execute(this::look));
    }

    private void look() {
        try {
            var live = LiveNames.of(mesh.current());
            int forgotten = 0;
            for (var one : expiring) {
                forgotten += one.expire(live, clock.now());
            }
            if (forgotten > 0) {
                log.debug("forgot series={} of what is gone", forgotten);
            }
        } finally {
            start();
        }
    }
}
