package io.loam.lab.bench.profile;

import java.util.List;
import java.util.SequencedMap;
import java.util.TreeMap;

/// Sampled stacks, merged where they begin alike. Not safe for several threads.
public final class StackTree {
    private final Node root = new Node();

    /// One call and what it called, in the order of names so that two pages can be compared.
    static final class Node {
        private final SequencedMap<String, Node> callees = new TreeMap<>();
        private long samples;

        SequencedMap<String, Node> callees() {
            return callees;
        }

        /// Of this call and all below it.
        long samples() {
            return samples;
        }

        int depth() {
            return 1 + callees.values().stream().mapToInt(Node::depth).max().orElse(0);
        }
    }

    /// @param frames outermost first
    public void add(List<String> frames) {
        var node = root;
        node.samples++;
        for (var frame : frames) {
            node = node.callees.computeIfAbsent(frame, _ -> new Node());
            node.samples++;
        }
    }

    Node root() {
        return root;
    }

    public long samples() {
        return root.samples;
    }
}
