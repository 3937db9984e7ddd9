package io.loam.protocol.hbone;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Stream;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A stream of Netty's HTTP/2 codec, from its HEADERS to its end. Lives on the tunnel's event loop.
///
/// Everything that is said to a listener is guarded here: thrown on, a bug in one would pass through the codec and
/// end the tunnel with everybody else's streams (hazards, rule 7).
///
/// Until somebody listens (the answer is not there, or the verdict is not given), bytes of the peer are held here.
/// They are not credited, so the stream's window bounds them.
final class CodecStream implements TunnelStream {
    /// Held bytes below this are copied: a slice of a few bytes would keep the whole TLS record alive.
    private static final int COPY_BELOW_BYTES = 2048;

    private static final Logger log = LoggerFactory.getLogger(CodecStream.class);

    private final TunnelHandler tunnel;
    private final Http2Stream stream;
    private final DataQueue output;

    /// Who waits for the answer or for the verdict; null as soon as it is given.
    private @Nullable Unanswered unanswered;

    private @Nullable Listener listener;
    private @Nullable ArrayDeque<ByteBuf> held;
    private boolean localEnded;
    private boolean remoteEnded;

    /// Nothing is said to the listener any more, and nothing is taken from us.
    private boolean over;

    /// Next in the tunnel's list of streams that got bytes in this wake-up; that stream itself at the end of the
    /// list.
    @Nullable
    CodecStream nextTouched;

    boolean touched;

    /// Hears of the end of a stream that nobody listens to yet.
    interface Unanswered {
        void onGone(ConnectFailure failure);

        /// {@link #onGone} threw.
        void onBug(Throwable cause);
    }

    CodecStream(TunnelHandler tunnel, Http2Stream stream, Unanswered unanswered) {
        this.tunnel = tunnel;
        this.stream = stream;
        this.output = new DataQueue(tunnel, stream);
        this.unanswered = unanswered;
    }

    int id() {
        return stream.id();
    }

    boolean isOver() {
        return over;
    }

    /// Who waits for the answer or for the verdict; null when it was given.
    @Nullable
    Unanswered waiting() {
        return unanswered;
    }

    boolean isRemoteEnded() {
        return remoteEnded;
    }

    /// From now on `listener` hears what comes. What was held is delivered in a later turn of the loop.
    void listen(Listener newListener) {
        unanswered = null;
        listener = newListener;
        if (held != null || remoteEnded) {
            if (held == null) {
                held = new ArrayDeque<>(0);
            }
            tunnel.loop().execute(this::deliverHeld);
        }
    }

    /// The answer or verdict was negative: whatever comes now is dropped.
    void forget() {
        over = true;
        unanswered = null;
        releaseHeld();
    }

    private void deliverHeld() {
        var waiting = held;
        var to = listener;
        if (waiting == null || to == null || over) {
            return;
        }
        held = null;
        if (!waiting.isEmpty()) {
            for (ByteBuf data = waiting.poll(); data != null; data = waiting.poll()) {
                if (over) { // the listener gave up while it was served
                    data.release();
                } else {
                    sayData(to, data);
                }
            }
            if (!over) {
                sayReadComplete(to);
            }
        }
        if (remoteEnded && !over) {
            sayEndStream(to);
        }
    }

    private void releaseHeld() {
        if (held != null) {
            held.forEach(ByteBuf::release);
            held = null;
        }
    }

    // --- what the application says ---

    @Override
    public void write(ByteBuf data) {
        if (over || localEnded) {
            data.release();
            return;
        }
        tunnel.write(output, stream, data);
    }

    @Override
    public void flush() {
        if (!over) {
            tunnel.flushThisTurn();
        }
    }

    @Override
    public boolean isWritable() {
        return !over && tunnel.isWritable(stream);
    }

    @Override
    public void credit(int bytes) {
        tunnel.credit(stream, bytes);
    }

    @Override
    public void endStream() {
        if (over || localEnded) {
            return;
        }
        localEnded = true;
        tunnel.end(output, stream);
        tunnel.flushThisTurn();
    }

    @Override
    public void reset(long errorCode) {
        if (over) {
            return;
        }
        over = true;
        unanswered = null;
        releaseHeld();
        tunnel.resetAfterPending(stream, errorCode);
    }

    // --- what the peer and the codec say ---

    /// @param data borrowed
    void onData(ByteBuf data, boolean endOfStream) {
        if (over) {
            tunnel.credit(stream, data.readableBytes());
        } else if (listener == null || held != null) {
            hold(data);
        } else if (data.isReadable()) {
            sayData(listener, data.retain());
            tunnel.touch(this);
        }
        if (endOfStream) {
            onEndOfStream();
        }
    }

    private void hold(ByteBuf data) {
        if (!data.isReadable()) {
            return;
        }
        if (held == null) {
            held = new ArrayDeque<>();
        }
        held.add(data.readableBytes() < COPY_BELOW_BYTES ? data.copy() : data.retain());
    }

    /// END_STREAM, on DATA or on HEADERS.
    void onEndOfStream() {
        remoteEnded = true;
        if (!over && listener != null && held == null) {
            if (touched) { // bytes and their end came in one wake-up: flush the bytes first
                touched = false;
                sayReadComplete(listener);
            }
            if (!over) {
                sayEndStream(listener);
            }
        }
    }

    void onReadComplete() {
        if (!over && listener != null) {
            sayReadComplete(listener);
        }
    }

    void onWritable() {
        var to = listener;
        if (!over && to != null) {
            try {
                to.onWritable();
            } catch (RuntimeException | Error bug) {
                endByBug(to, bug);
            }
        }
    }

    /// The stream ended before its time.
    ///
    /// @param errorCode of the RST_STREAM, ours or the peer's, or what stands for the loss of the tunnel
    /// @param failure the same, for whoever still waits for an answer
    void onBroken(long errorCode, ConnectFailure failure) {
        if (over) {
            return;
        }
        deliverHeld(); // it was sent before the stream broke
        if (over) {
            return;
        }
        forgetAndTell(errorCode, failure);
    }

    private void forgetAndTell(long errorCode, ConnectFailure failure) {
        var waiting = unanswered;
        var to = listener;
        forget();
        if (waiting != null) {
            try {
                waiting.onGone(failure);
            } catch (RuntimeException | Error bug) {
                waiting.onBug(bug);
            }
        } else if (to != null) {
            sayReset(to, errorCode);
        }
    }

    /// The codec has let go of the stream.
    ///
    /// @param bytesLeft whether what we wrote reached the socket
    /// @param failure why, if it is not the orderly end
    void onClosed(boolean bytesLeft, ConnectFailure failure) {
        if (over) {
            releaseHeld();
            return;
        }
        deliverHeld();
        if (over) {
            return;
        }
        if (localEnded && remoteEnded && bytesLeft && listener != null) {
            var to = listener;
            over = true;
            try {
                to.onFinished();
            } catch (RuntimeException | Error bug) {
                endByBug(to, bug);
            }
        } else {
            forgetAndTell(Http2Error.CONNECT_ERROR.code(), failure);
        }
    }

    // --- what the listener is told ---

    private void sayData(Listener to, ByteBuf data) {
        try {
            to.onData(data);
        } catch (RuntimeException
                | Error bug) { // who owns `data` now is not known: a leak is better than a second owner
            endByBug(to, bug);
        }
    }

    private void sayReadComplete(Listener to) {
        try {
            to.onReadComplete();
        } catch (RuntimeException | Error bug) {
            endByBug(to, bug);
        }
    }

    private void sayEndStream(Listener to) {
        try {
            to.onEndStream();
        } catch (RuntimeException | Error bug) {
            endByBug(to, bug);
        }
    }

    void sayReset(Listener to, long errorCode) {
        try {
            to.onReset(errorCode);
        } catch (RuntimeException | Error bug) {
            endByBug(to, bug);
        }
    }

    private void endByBug(Listener to, Throwable bug) {
        reset(Http2Error.INTERNAL_ERROR.code());
        try {
            to.onBug(bug);
        } catch (RuntimeException | Error again) {
            bug.addSuppressed(again);
            log.error("stream ended by a bug, and its listener failed again when it was told", bug);
        }
    }
}
