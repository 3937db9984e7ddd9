package io.loam.lab.capture;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;

/// What passed a link.
///
/// @param frames every frame as recorded, link header included
/// @param flows the TCP connections in them, in the order in which they first appeared
/// @param dropped how many packets the kernel did not hand to the recorder; an absence proves something only if
///     this is 0
public record Capture(List<byte[]> frames, List<TcpFlow> flows, long dropped) {
    public Capture {
        frames = List.copyOf(frames);
        flows = List.copyOf(flows);
    }

    /// @param pcap a file of libpcap's format; one that ends inside a packet counts up to the last whole one
    /// @throws IOException it does not start like such a file, or is not of Ethernet, Linux cooked or raw IP
    public static Capture of(byte[] pcap) throws IOException {
        return of(PcapFile.read(pcap), 0);
    }

    /// @param mark frames with these bytes are the recorder's own and are left out
    static Capture of(byte[] pcap, byte[] mark, long dropped) throws IOException {
        var file = PcapFile.read(pcap);
        var others = file.frames().stream()
                .filter(frame -> !Bytes.contains(frame, mark))
                .toList();
        return of(new PcapFile(file.linkType(), others), dropped);
    }

    private static Capture of(PcapFile file, long dropped) {
        var flows = new LinkedHashMap<TcpFlow.Ends, TcpFlow.Builder>();
        for (var frame : file.frames()) {
            TcpSegment.parse(file.linkType(), frame)
                    .ifPresent(segment -> flows.computeIfAbsent(
                                    TcpFlow.Ends.of(segment), _ -> new TcpFlow.Builder(segment))
                            .add(segment));
        }
        return new Capture(
                file.frames(),
                flows.values().stream().map(TcpFlow.Builder::build).toList(),
                dropped);
    }

    /// Whether these bytes can be read off the link: inside one packet, or cut apart over several of one
    /// direction of a flow.
    public boolean containsPlaintext(byte[] marker) {
        return frames.stream().anyMatch(frame -> Bytes.contains(frame, marker))
                || !flowsWith(marker).isEmpty();
    }

    public boolean containsPlaintext(String marker) {
        return containsPlaintext(marker.getBytes(StandardCharsets.UTF_8));
    }

    /// How many packets have these bytes in one piece.
    public long packetsWith(byte[] marker) {
        return frames.stream().filter(frame -> Bytes.contains(frame, marker)).count();
    }

    /// The flows that have these bytes in either direction, cut apart over packets or not.
    public List<TcpFlow> flowsWith(byte[] marker) {
        return flows.stream()
                .filter(flow ->
                        flow.toServer().contains(marker) || flow.toClient().contains(marker))
                .toList();
    }

    /// The flows whose server side has this port.
    public List<TcpFlow> flowsTo(int port) {
        return flows.stream().filter(flow -> flow.server().getPort() == port).toList();
    }

    /// The flows to exactly this address and port.
    public List<TcpFlow> flowsTo(InetSocketAddress server) {
        return flows.stream().filter(flow -> flow.server().equals(server)).toList();
    }

    /// Bytes on the link, headers included.
    public long bytes() {
        return frames.stream().mapToLong(frame -> frame.length).sum();
    }

    @Override
    public String toString() {
        return frames.size() + " packets, " + flows + (dropped == 0 ? "" : ", " + dropped + " dropped");
    }
}
