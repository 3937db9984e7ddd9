package io.loam.runtime.relay;

import io.loam.protocol.hbone.TunnelStream;
import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2Error;
import org.jspecify.annotations.Nullable;

/// Joins an application's socket with a stream of a tunnel on the same event loop, until both directions ended.
///
/// Design. Each direction has one rule for flow and one for its end:
///
/// - Application to peer: a read goes to the stream as it is, and when the stream has no room, reading stops until
///   it has. The application's FIN becomes END_STREAM.
/// - Peer to application: bytes are written as they come, flushed at the end of the wake-up, and credited to the
///   peer only when the socket took them, so that a slow application stops its own stream and nothing else. END_STREAM
///   becomes FIN.
///
/// A connection that was broken off is broken off on the other side too: RST becomes RST_STREAM CONNECT_ERROR (RFC
/// 9113, 8.5) and back. A close after both directions ended is no reset: what is queued goes out first (hazard T10).
///
/// Nothing is allocated per read, and every method runs on the event loop.
public final class Relay implements RunningRelay {
    private final ApplicationSocket application;
    private final RelayListener listener;
    private final FromApplication fromApplication = new FromApplication();
    private final FromPeer fromPeer = new FromPeer();
    private @Nullable TunnelStream stream;
    private long bytesFromApplication;
    private long bytesToApplication;

    /// Written to the application's socket and not yet credited to the peer.
    private int owedBytes;

    private boolean peerEnded;
    private boolean streamFinished;

    /// The peer ended its direction and reads no more; what it sent is still on its way to the application.
    private boolean peerReadsNoMore;

    private boolean ended;

    private Relay(ApplicationSocket application, RelayListener listener) {
        this.application = application;
        this.listener = listener;
    }

    /// Made before the stream is there, because whoever opens a stream must name its listener.
    public static Relay of(ApplicationSocket application, RelayListener listener) {
        return new Relay(application, listener);
    }

    /// What the stream has to report to: return it from `onOpened`, or hand it to `PendingStream.accept`.
    public TunnelStream.Listener streamListener() {
        return fromPeer;
    }

    /// Begins to move bytes. Called on the event loop, in the same turn in which the stream opened.
    public void start(TunnelStream newStream) {
        stream = newStream;
        application.passOnClosely(); // 500 slow programs may not hold 128 KiB each beside their windows (hazard T8)
        application.start(fromApplication);
    }

    @Override
    public void abort(String reason) {
        if (!ended) {
            breakOff(Http2Error.CONNECT_ERROR);
            end(new RelayEnd.Aborted(reason));
        }
    }

    private void breakOff(Http2Error code) {
        if (stream != null) {
            stream.reset(code.code());
        }
        application.abort();
    }

    @Override
    public long bytesFromApplication() {
        return bytesFromApplication;
    }

    @Override
    public long bytesToApplication() {
        return bytesToApplication;
    }

    private TunnelStream stream() {
        if (stream == null) {
            throw new IllegalStateException("relay was not started");
        }
        return stream;
    }

    private void end(RelayEnd end) {
        ended = true;
        listener.onRelayEnd(end, bytesFromApplication, bytesToApplication);
    }

    /// Hazards, rule 7: a bug ends this connection and nothing else.
    private void endByBug(Throwable cause) {
        breakOff(Http2Error.INTERNAL_ERROR);
        end(new RelayEnd.Bug(cause));
    }

    private void creditWhatWasTaken() {
        if (owedBytes > 0 && application.isWritable()) {
            int taken = owedBytes;
            owedBytes = 0;
            stream().credit(taken);
        }
    }

    /// The application's side is done when both its directions ended; the whole is done when the stream is, too.
    private void endIfBothEnded() {
        if (ended || !application.isOutputEnded()) {
            return;
        }
        if (peerReadsNoMore && !application.isInputEnded()) {
            // The application may go on talking to nobody; a socket that is fully closed answers it with RST.
            application.close();
            end(new RelayEnd.Reset(RelayEnd.Side.PEER, "reads no more"));
        } else if (application.isInputEnded()) {
            application.close();
            if (streamFinished) {
                end(new RelayEnd.BothFinished());
            }
        }
    }

    private final class FromApplication implements ApplicationSocket.Events {
        @Override
        public void onBytes(ByteBuf data) {
            bytesFromApplication += data.readableBytes();
            stream().write(data);
            if (!stream().isWritable()) {
                application.pauseReading();
            }
        }

        @Override
        public void onBytesComplete() {
            stream().flush();
        }

        @Override
        public void onInputEnd() {
            stream().endStream();
            endIfBothEnded();
        }

        @Override
        public void onSocketWritable() {
            creditWhatWasTaken();
        }

        @Override
        public void onOutputEnd() {
            endIfBothEnded();
        }

        @Override
        public void onSocketLost(String detail) {
            if (!ended) {
                stream().reset(Http2Error.CONNECT_ERROR.code());
                end(new RelayEnd.Reset(RelayEnd.Side.APPLICATION, detail));
            }
        }

        @Override
        public void onBug(Throwable cause) {
            endByBug(cause);
        }
    }

    private final class FromPeer implements TunnelStream.Listener {
        @Override
        public void onData(ByteBuf data) {
            int bytes = data.readableBytes();
            bytesToApplication += bytes;
            owedBytes += bytes;
            application.write(data);
        }

        @Override
        public void onReadComplete() {
            application.flush();
            creditWhatWasTaken();
        }

        @Override
        public void onEndStream() {
            peerEnded = true;
            application.endOutput();
        }

        @Override
        public void onFinished() {
            streamFinished = true;
            endIfBothEnded();
        }

        @Override
        public void onReset(long errorCode) {
            if (ended) {
                return;
            }
            if (peerEnded && isOrderly(errorCode)) {
                peerReadsNoMore = true;
                streamFinished = true;
                application.pauseReading();
                endIfBothEnded();
                return;
            }
            application.abort();
            end(
                    errorCode == TunnelStream.PEER_REVOKED
                            ? new RelayEnd.PeerRevoked()
                            : new RelayEnd.Reset(RelayEnd.Side.PEER, errorName(errorCode)));
        }

        @Override
        public void onWritable() {
            application.resumeReading();
        }

        @Override
        public void onBug(Throwable cause) {
            endByBug(cause);
        }
    }

    /// Codes with which compatible peers drop a stream they are done with (wire reference, 2.4).
    private static boolean isOrderly(long errorCode) {
        return errorCode == Http2Error.NO_ERROR.code() || errorCode == Http2Error.CANCEL.code();
    }

    private static String errorName(long errorCode) {
        var known = Http2Error.valueOf(errorCode);
        return known == null ? "error " + errorCode : known.name();
    }
}
