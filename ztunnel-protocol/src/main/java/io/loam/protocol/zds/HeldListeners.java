package io.loam.protocol.zds;

import io.loam.protocol.linux.FileDescriptor;
import io.loam.protocol.linux.ListeningSocket;
import io.loam.protocol.linux.Netns;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;

/// Listening sockets of one pod on their way between the node proxy and the privileged half, which keeps
/// them while no proxy runs (hazards P1, P4): what waits in their backlog is served by whoever takes them
/// next.
///
/// Owns its descriptors. Not safe for several threads at once.
public final class HeldListeners implements AutoCloseable {
    /// What fits into one message beside the pod's namespace.
    public static final int MAX = 252;

    private final SortedMap<Integer, List<FileDescriptor>> byPort = new TreeMap<>();

    /// @param socket passes into the ownership of this object
    public void add(int port, FileDescriptor socket) {
        byPort.computeIfAbsent(port, _ -> new ArrayList<>()).add(socket);
    }

    /// @param groups as the message says; their counts are those of `descriptors`, in order
    /// @param descriptors pass into the ownership of the result; stay the caller's on failure
    static HeldListeners of(List<ListenerGroup> groups, List<FileDescriptor> descriptors) throws ZdsProtocolException {
        int announced = groups.stream().mapToInt(ListenerGroup::count).sum();
        if (announced != descriptors.size()) {
            throw new ZdsProtocolException(
                    descriptors.size() + " listeners with the message (expected: " + announced + ", as it says)");
        }
        var held = new HeldListeners();
        var next = descriptors.iterator();
        for (var group : groups) {
            for (int i = 0; i < group.count(); i++) {
                held.add(group.port(), next.next());
            }
        }
        return held;
    }

    List<ListenerGroup> groups() {
        return byPort.entrySet().stream()
                .map(entry -> new ListenerGroup(entry.getKey(), entry.getValue().size()))
                .toList();
    }

    /// In the order of {@link #groups}.
    List<FileDescriptor> descriptors() {
        return byPort.values().stream().flatMap(List::stream).toList();
    }

    public Set<Integer> ports() {
        return Set.copyOf(byPort.keySet());
    }

    /// Those of one port, perhaps none; still owned by this object.
    public List<FileDescriptor> on(int port) {
        return List.copyOf(byPort.getOrDefault(port, List.of()));
    }

    public boolean isEmpty() {
        return byPort.isEmpty();
    }

    /// What tells whether two sets are the same sockets.
    public Set<Long> inodes() {
        var inodes = new HashSet<Long>();
        descriptors().forEach(descriptor -> inodes.add(descriptor.inode()));
        return inodes;
    }

    /// @throws IOException if one of them is not what it is said to be, see {@link ListeningSocket#require}
    public void requireListening(Netns netns) throws IOException {
        for (var entry : byPort.entrySet()) {
            for (var socket : entry.getValue()) {
                ListeningSocket.require(socket, entry.getKey(), netns);
            }
        }
    }

    /// Closes these descriptors; sockets that others have open, too, go on listening.
    @Override
    public void close() {
        descriptors().forEach(FileDescriptor::close);
        byPort.clear();
    }

    @Override
    public String toString() {
        return "HeldListeners" + groups();
    }

    /// @param port 1 to 65535
    /// @param count how many of the descriptors; 1 to {@link #MAX}
    public record ListenerGroup(int port, int count) {}
}
