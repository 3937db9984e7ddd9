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
import java.util.stream.Collectors;

/// Listening sockets of one pod, and those for datagrams of its DNS proxy, on their way between the node proxy
/// and the privileged half, which keeps them while no proxy runs (hazards P1, P4): what waits in their backlog
/// or queue is served by whoever takes them next.
///
/// Owns its descriptors. Not safe for several threads at once.
public final class HeldListeners implements AutoCloseable {
    /// What fits into one message beside the pod's namespace.
    public static final int MAX = 252;

    private final SortedMap<Place, List<FileDescriptor>> byPlace = new TreeMap<>();

    /// Whether the one who is going to keep them keeps {@link #addDatagrams} too.
    private final boolean datagramsKept;

    /// Of a keeper that takes everything.
    public HeldListeners() {
        this(true);
    }

    private HeldListeners(boolean datagramsKept) {
        this.datagramsKept = datagramsKept;
    }

    /// In an offer of the privileged half: whether it keeps sockets for datagrams, too. One that has never
    /// heard of them would take them for something else.
    public boolean datagramsKept() {
        return datagramsKept;
    }

    /// @param socket listens for connections; passes into the ownership of this object
    public void add(int port, FileDescriptor socket) {
        add(new Place(port, false), socket);
    }

    /// @param socket of UDP; passes into the ownership of this object
    public void addDatagrams(int port, FileDescriptor socket) {
        add(new Place(port, true), socket);
    }

    private void add(Place place, FileDescriptor socket) {
        byPlace.computeIfAbsent(place, _ -> new ArrayList<>()).add(socket);
    }

    /// @param said as the message says; their counts are those of `descriptors`, in order
    /// @param descriptors pass into the ownership of the result; stay the caller's on failure
    static HeldListeners of(ListenerGroups said, List<FileDescriptor> descriptors) throws ZdsProtocolException {
        int announced = said.groups().stream().mapToInt(ListenerGroup::count).sum();
        if (announced != descriptors.size()) {
            throw new ZdsProtocolException(
                    descriptors.size() + " listeners with the message (expected: " + announced + ", as it says)");
        }
        var held = new HeldListeners(said.datagrams());
        var next = descriptors.iterator();
        for (var group : said.groups()) {
            for (int i = 0; i < group.count(); i++) {
                held.add(new Place(group.port(), group.datagrams()), next.next());
            }
        }
        return held;
    }

    /// @param datagrams whether the other end knows sockets for datagrams; otherwise they are left out
    ListenerGroups groups(boolean datagrams) {
        var groups = new ArrayList<ListenerGroup>();
        byPlace.forEach((place, sockets) -> {
            if (datagrams || !place.datagrams) {
                groups.add(new ListenerGroup(place.port, sockets.size(), place.datagrams));
            }
        });
        return new ListenerGroups(groups, datagrams);
    }

    /// In the order of {@link #groups}.
    List<FileDescriptor> descriptors(boolean datagrams) {
        var descriptors = new ArrayList<FileDescriptor>();
        byPlace.forEach((place, sockets) -> {
            if (datagrams || !place.datagrams) {
                descriptors.addAll(sockets);
            }
        });
        return descriptors;
    }

    private List<FileDescriptor> descriptors() {
        return descriptors(true);
    }

    /// Of those that listen for connections.
    public Set<Integer> ports() {
        return byPlace.keySet().stream()
                .filter(place -> !place.datagrams)
                .map(Place::port)
                .collect(Collectors.toUnmodifiableSet());
    }

    /// Those of one port that listen for connections, perhaps none; still owned by this object.
    public List<FileDescriptor> on(int port) {
        return List.copyOf(byPlace.getOrDefault(new Place(port, false), List.of()));
    }

    /// Those of one port for datagrams, perhaps none; still owned by this object.
    public List<FileDescriptor> datagramsOn(int port) {
        return List.copyOf(byPlace.getOrDefault(new Place(port, true), List.of()));
    }

    public boolean isEmpty() {
        return byPlace.isEmpty();
    }

    /// Closes those for datagrams.
    public void closeDatagrams() {
        byPlace.entrySet().removeIf(entry -> {
            if (entry.getKey().datagrams) {
                entry.getValue().forEach(FileDescriptor::close);
            }
            return entry.getKey().datagrams;
        });
    }

    /// What tells whether two sets are the same sockets.
    public Set<Long> inodes() {
        var inodes = new HashSet<Long>();
        descriptors().forEach(descriptor -> inodes.add(descriptor.inode()));
        return inodes;
    }

    /// @throws IOException if one of them is not what it is said to be, see {@link ListeningSocket#require}
    public void requireListening(Netns netns) throws IOException {
        for (var entry : byPlace.entrySet()) {
            var place = entry.getKey();
            for (var socket : entry.getValue()) {
                if (place.datagrams) {
                    ListeningSocket.requireDatagrams(socket, place.port, netns);
                } else {
                    ListeningSocket.require(socket, place.port, netns);
                }
            }
        }
    }

    /// Closes these descriptors; sockets that others have open, too, go on listening.
    @Override
    public void close() {
        descriptors().forEach(FileDescriptor::close);
        byPlace.clear();
    }

    @Override
    public String toString() {
        return "HeldListeners" + groups(true).groups();
    }

    private record Place(int port, boolean datagrams) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            int byPort = Integer.compare(port, other.port);
            return byPort != 0 ? byPort : Boolean.compare(datagrams, other.datagrams);
        }
    }

    /// @param port 1 to 65535
    /// @param count how many of the descriptors; 1 to {@link #MAX}
    /// @param datagrams whether they are of UDP, and not listening ones of TCP
    public record ListenerGroup(int port, int count, boolean datagrams) {
        public ListenerGroup(int port, int count) {
            this(port, count, false);
        }
    }

    /// @param datagrams whether who says it knows groups of sockets for datagrams; means nothing in an answer
    public record ListenerGroups(List<ListenerGroup> groups, boolean datagrams) {
        static final ListenerGroups NONE = new ListenerGroups(List.of(), false);

        public ListenerGroups {
            groups = List.copyOf(groups);
        }
    }
}
