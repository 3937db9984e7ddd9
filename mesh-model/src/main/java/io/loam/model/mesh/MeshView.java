package io.loam.model.mesh;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;

/// The mesh as this program last heard it. One thread publishes, any thread reads.
///
/// Take the snapshot once per decision and pass it on, so that all answers describe the same moment.
public final class MeshView {
    private final List<Consumer<MeshSnapshot>> listeners = new CopyOnWriteArrayList<>();
    private volatile MeshSnapshot current = MeshSnapshot.EMPTY;

    public MeshSnapshot current() {
        return current;
    }

    /// Makes `next` current, then tells the listeners, on this thread and in the order they came.
    ///
    /// @throws IllegalArgumentException if `next` is not newer than what is published now
    public void publish(MeshSnapshot next) {
        if (next.version() <= current.version()) {
            throw new IllegalArgumentException(
                    "snapshot version: " + next.version() + " (expected: > " + current.version() + ")");
        }
        current = next;
        RuntimeException bug = null;
        for (var listener : listeners) {
            try {
                listener.accept(next);
            } catch (RuntimeException e) { // one that fails must not hide the snapshot from the others
                bug = e;
            }
        }
        if (bug != null) {
            throw bug;
        }
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
