package io.loam.runtime.identity;

import io.loam.protocol.tls.Pem;
import io.loam.runtime.time.Timer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The file with the CA's roots, `CA_ROOT_CA` (wire reference, section 5), looked at each second: when other
/// certificates stand in it than before, the CA has another trust bundle, and whoever uses its certificates has to be
/// told (hazard I8). What stands there is not trusted for it: workloads trust the roots that came with their
/// certificate.
///
/// A file that is missing or unreadable is no change; what it held before counts until it can be read again.
public final class RootFile {
    private static final Logger log = LoggerFactory.getLogger(RootFile.class);
    static final Duration LOOK = Duration.ofSeconds(1);

    private final Path file;
    private final Timer timer;
    private final Executor executor;
    private final Runnable changed;

    // Of the looking task alone; one follows the other.
    private @Nullable Set<X509Certificate> known;
    private boolean unreadable;

    /// @param executor runs blocking tasks: virtual threads
    /// @param changed called on it, once for each change
    public RootFile(Path file, Timer timer, Executor executor, Runnable changed) {
        this.file = file;
        this.timer = timer;
        this.executor = executor;
        this.changed = changed;
    }

    /// Looks at it from now on, for as long as the process lives.
    public void watch() {
        executor.execute(this::look);
    }

    private void look() {
        try {
            var now = Set.copyOf(Pem.certificates(Files.readString(file)));
            unreadable = false;
            var before = known;
            known = now;
            if (before != null && !before.equals(now)) {
                log.info("roots of the CA changed file={} roots={}: certificates are renewed", file, now.size());
                changed.run();
            }
        } catch (IOException | GeneralSecurityException e) {
            if (!unreadable) {
                unreadable = true;
                log.warn("roots of the CA not looked at file={}: {}", file, e.toString());
            }
        } finally {
            var _ = timer.after(LOOK, () -> executor.execute(this::look));
        }
    }
}
