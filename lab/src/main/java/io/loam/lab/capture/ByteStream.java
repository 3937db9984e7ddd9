package io.loam.lab.capture;

import java.io.ByteArrayOutputStream;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// One direction of a flow, put together by sequence numbers: what was sent twice counts once, what came out of
/// order is in order. Where the recording has a hole, a new piece begins.
///
/// @param pieces the bytes, in order
public record ByteStream(List<byte[]> pieces) {
    public ByteStream {
        pieces = List.copyOf(pieces);
    }

    /// @param segments of one direction, in the order of the recording
    static ByteStream of(List<TcpSegment> segments) {
        if (segments.isEmpty()) {
            return new ByteStream(List.of());
        }
        // Offsets from the first segment as signed differences: right over the wrap at 2^32, for 2 GiB to either side.
        var base = segments.getFirst().sequence();
        var withData = segments.stream()
                .filter(segment -> segment.payload().length > 0)
                .sorted(Comparator.comparingInt(segment -> offset(segment, base)))
                .toList();
        var pieces = new ArrayList<byte[]>();
        var piece = new ByteArrayOutputStream();
        var next = 0L; // offset behind the last byte taken; meaningless while nothing is taken
        for (var segment : withData) {
            var offset = offset(segment, base);
            var payload = segment.payload();
            if (piece.size() > 0 && offset > next) {
                pieces.add(piece.toByteArray());
                piece.reset();
            }
            var repeated = piece.size() == 0 ? 0 : (int) Math.min(next - offset, payload.length);
            piece.write(payload, repeated, payload.length - repeated);
            next = repeated == payload.length ? next : (long) offset + payload.length;
        }
        if (piece.size() > 0) {
            pieces.add(piece.toByteArray());
        }
        return new ByteStream(pieces);
    }

    private static int offset(TcpSegment segment, int base) {
        return segment.sequence() - base + (segment.syn() ? 1 : 0); // a SYN takes a number of its own
    }

    /// @return whether these bytes occur in one piece
    public boolean contains(byte[] wanted) {
        return pieces.stream().anyMatch(piece -> Bytes.contains(piece, wanted));
    }

    /// How many bytes there are, holes not counted.
    public long length() {
        return pieces.stream().mapToLong(piece -> piece.length).sum();
    }

    /// The bytes up to the first hole.
    public byte[] beginning() {
        return pieces.isEmpty() ? new byte[0] : pieces.getFirst().clone();
    }
}
