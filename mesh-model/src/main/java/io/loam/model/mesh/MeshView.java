package io.loam.model.mesh;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The mesh as this program last heard it. One thread publishes, any thread reads.
///
/// Take the snapshot once per decision and pass it on, so that all answers describe the same moment.
public final class MeshView {
    private final List<Consumer<MeshSnapshot>> listeners = new CopyOnWriteArrayList<>();
    private final List<Consumer<MeshSnapshot>> preparations = new CopyOnWriteArrayList<>();
    private final CompletableFuture<Void> whole = new CompletableFuture<>();
    private volatile MeshSnapshot current = MeshSnapshot.EMPTY;

    public MeshSnapshot current() {
        return current;
    }

    /// Has `next` prepared, makes it current, then tells the listeners, on this thread and in the order they came.
    ///
    /// @throws IllegalArgumentException if `next` is not newer than what is published now
    /// @throws RuntimeException the first bug of those that were told, or an Error; the others are suppressed
    ///     in it. `next` is current and everybody was told all the same
    public void publish(MeshSnapshot next) {
        if (next.version() <= current.version()) {
            throw new IllegalArgumentException(
                    "snapshot version: " + next.version() + " (expected: > " + current.version() + ")");
        }
        var bug = tell(preparations, next, null);
        current = next;
        bug = tell(listeners, next, bug);
        switch (bug) {
            case null -> {}
            case RuntimeException e -> throw e;
            case Error e -> throw e;
            default -> throw new IllegalStateException(bug); // a Consumer throws nothing else
        }
    }

    /// What is current now is all that there was to say, which may be nothing. Called on the publishing thread; does
    /// nothing the second time.
    public void becameWhole() {
        whole.complete(null);
    }

    /// Completes, on the publishing thread, when there is a mesh to decide by for the first time.
    public CompletionStage<Void> whole() {
        return whole.minimalCompletionStage();
    }

    /// One that fails must not hide the snapshot from the others.
    ///
    /// @param before what those have thrown that were told before
    private static @Nullable Throwable tell(
            List<Consumer<MeshSnapshot>> hearers, MeshSnapshot next, @Nullable Throwable before) {
        var first = before;
        for (var hearer : hearers) {
            try {
                hearer.accept(next);
            } catch (RuntimeException | Error e) {
                if (first == null) {
                    first = e;
                } else if (!first.equals(e)) { // nothing suppresses itself
                    first.addSuppressed(e);
                }
            }
        }
        return first;
    }

    /// @param preparation called on the publishing thread for each snapshot just before it becomes current: the place
    ///     for work that event loops would otherwise do when they first ask it something. Must not throw
    public void addPreparation(Consumer<MeshSnapshot> preparation) {
        preparations.add(preparation);
    }

    /// @param listener called on the publishing thread for each snapshot from now on; must not block and not
    ///     throw
    public void addListener(Consumer<MeshSnapshot> listener) {
        listeners.add(listener);
    }

    public void removeListener(Consumer<MeshSnapshot> listener) {
        listeners.remove(listener);
    }
}
