package io.loam.lab.network;

import java.nio.file.Path;
import java.util.regex.Pattern;

/// The name of a lab, and the names of all that belongs to it: from these alone it can be cleared away.
///
/// @param value 1 to 12 of a-z, 0-9 and `-`; no dot, so that no name of one lab can be read as another's
public record LabName(String value) {
    private static final Pattern SYNTAX = Pattern.compile("[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?");

    /// Where namespaces are mounted, by iproute2's convention.
    public static final Path NAMESPACES = Path.of("/run/netns");

    /// Where every lab has a directory.
    public static final Path LABS = Path.of("/run/loam");

    /// Most file systems allow 255; what is left is for messages.
    private static final int LONGEST_NAMESPACE = 200;

    public LabName {
        if (!isName(value)) {
            throw new IllegalArgumentException(
                    "lab name: " + value + " (expected: 1 to 12 of a-z, 0-9 and '-', a letter or digit at both ends)");
        }
    }

    public static boolean isName(String text) {
        return SYNTAX.matcher(text).matches();
    }

    public Path stateDir() {
        return LABS.resolve(value);
    }

    public String fabricNetns() {
        return "loam-" + value + "-fabric";
    }

    public String nodeNetns(String node) {
        return shortened("loam-" + value + "-node." + node);
    }

    public String podNetns(String namespace, String pod) {
        return shortened("loam-" + value + "-pod." + namespace + "." + pod);
    }

    /// Whether a network namespace of this name belongs to this lab and no other.
    public boolean owns(String netns) {
        var prefix = "loam-" + value + "-";
        if (!netns.startsWith(prefix)) {
            return false;
        }
        var rest = netns.substring(prefix.length());
        return rest.equals("fabric") || rest.startsWith("node.") || rest.startsWith("pod.");
    }

    public static Path netnsPath(String netns) {
        return NAMESPACES.resolve(netns);
    }

    private static String shortened(String name) {
        return name.length() <= LONGEST_NAMESPACE
                ? name
                : name.substring(0, LONGEST_NAMESPACE) + "." + Integer.toHexString(name.hashCode());
    }

    @Override
    public String toString() {
        return value;
    }
}
