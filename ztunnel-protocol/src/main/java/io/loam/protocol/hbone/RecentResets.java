package io.loam.protocol.hbone;

/// Streams that we reset a moment ago. Until the peer has seen the reset it goes on sending, rightfully: those
/// frames must not count as its errors. Holds far more than are reset within one round trip.
final class RecentResets {
    private static final int KEPT = 512;

    /// Allocated with the first reset; 0 is no stream.
    private int[] streamIds = {};

    private int next;

    void add(int streamId) {
        if (streamIds.length == 0) {
            streamIds = new int[KEPT];
        }
        streamIds[next] = streamId;
        next = (next + 1) % KEPT;
    }

    /// Looks through all of them: only for frames that fit no stream.
    boolean contains(int streamId) {
        for (int id : streamIds) {
            if (id == streamId) {
                return true;
            }
        }
        return false;
    }
}
