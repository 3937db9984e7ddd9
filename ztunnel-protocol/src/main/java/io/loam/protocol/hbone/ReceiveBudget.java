package io.loam.protocol.hbone;

/// How much the peers of one event loop's tunnels may make this process hold: what they have sent and no
/// application has taken, and what their windows still let them send (hazard T8). A tunnel borrows before it
/// raises the window of its connection, so that the sum stays, whatever peers do and whoever does not read.
///
/// Nobody gets more than half of what is left, so that who comes later gets something, too; and a quarter is
/// only for tunnels whose applications take what comes, so that stopped readers cannot keep all others slow.
///
/// Not counted are the 64 KiB that HTTP/2 gives every connection, which cannot be withheld; what a tunnel was
/// given before it fell quiet, until it is used ({@link ConnectionWindow}), which may overdraw the budget and
/// brings all busy windows down; and a stream that both sides have ended in order: it is over for the codec,
/// though its last bytes, a stream's window at the most, may still wait for its application.
///
/// Belongs to the event loop.
public final class ReceiveBudget {
    private final long limitBytes;
    private long lentBytes;

    /// @param limitBytes for all tunnels of the loop together; more than zero
    public ReceiveBudget(long limitBytes) {
        if (limitBytes <= 0) {
            throw new IllegalArgumentException("limitBytes: " + limitBytes + " (expected: more than zero)");
        }
        this.limitBytes = limitBytes;
    }

    /// For tunnels that nobody else shares a loop with.
    public static ReceiveBudget unlimited() {
        return new ReceiveBudget(Long.MAX_VALUE);
    }

    /// What all tunnels have borrowed at the moment.
    public long lentBytes() {
        return lentBytes;
    }

    boolean isOverdrawn() {
        return lentBytes > limitBytes;
    }

    /// @return whether a tunnel whose applications take what comes may have so much more
    boolean lendToReader(long bytes) {
        return lend(bytes, limitBytes);
    }

    /// @return whether a tunnel may have so much more beside what it holds for applications that do not read
    boolean lendBesideStopped(long bytes) {
        return lend(bytes, limitBytes - limitBytes / 4);
    }

    private boolean lend(long bytes, long most) {
        if (bytes > most - lentBytes || bytes > (limitBytes - lentBytes) / 2) {
            return false;
        }
        lentBytes += bytes;
        return true;
    }

    /// @param bytes given back where less than zero; else of a window that is out already, beyond the limit if it must
    ///     be
    void change(long bytes) {
        lentBytes += bytes;
    }
}
