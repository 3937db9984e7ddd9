package io.loam.lab.services;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Renders virtual ports as one nft table: looked up in a map, so that the cost of a connection does not grow with the
/// number of services; spread with `numgen random`, so that every endpoint is as likely as any other.
///
/// The script replaces the table in one transaction. Established connections are not touched: their translation is in
/// the connection tracking table.
final class ServiceRules {
    static final String TABLE = "loam-services";

    private ServiceRules() {}

    static String render(List<VirtualPort> ports) {
        var script = new StringBuilder();
        script.append("table inet ").append(TABLE).append('\n'); // so that there is one to delete
        script.append("delete table inet ").append(TABLE).append('\n');
        script.append("table inet ").append(TABLE).append(" {\n");
        for (var family : Family.values()) {
            var own = ports.stream()
                    .filter(port -> Family.of(port.address()) == family)
                    .toList();
            renderSets(script, family, own);
            own.stream().filter(port -> !port.endpoints().isEmpty()).forEach(port -> renderPort(script, family, port));
        }
        script.append("""
                	chain services {
                		ip daddr . meta l4proto . th dport vmap @ports-v4
                		ip6 daddr . meta l4proto . th dport vmap @ports-v6
                	}
                	chain from-outside {
                		type nat hook prerouting priority -100; policy accept;
                		jump services
                	}
                	chain from-here {
                		type nat hook output priority -100; policy accept;
                		jump services
                	}
                	# A pod that is balanced to itself would answer itself directly, past the translation back.
                	chain hairpin {
                		type nat hook postrouting priority 100; policy accept;
                		ct status dnat ip saddr . ip daddr @hairpin-v4 masquerade
                		ct status dnat ip6 saddr . ip6 daddr @hairpin-v6 masquerade
                	}
                	# What still bears a virtual address behind the translation has no endpoint, or asks for no such port.
                	chain refuse {
                		ip daddr @virtual-v4 meta l4proto tcp reject with tcp reset
                		ip6 daddr @virtual-v6 meta l4proto tcp reject with tcp reset
                		ip daddr @virtual-v4 reject with icmp type port-unreachable
                		ip6 daddr @virtual-v6 reject with icmpv6 type port-unreachable
                	}
                	chain refuse-from-outside {
                		type filter hook prerouting priority 0; policy accept;
                		jump refuse
                	}
                	chain refuse-from-here {
                		type filter hook output priority 0; policy accept;
                		jump refuse
                	}
                }
                """);
        return script.toString();
    }

    private enum Family {
        V4("v4", "ip", "ipv4_addr"),
        V6("v6", "ip6", "ipv6_addr");

        private final String suffix;
        private final String keyword;
        private final String type;

        Family(String suffix, String keyword, String type) {
            this.suffix = suffix;
            this.keyword = keyword;
            this.type = type;
        }

        static Family of(InetAddress address) {
            return address.getAddress().length == 4 ? V4 : V6;
        }
    }

    private static void renderSets(StringBuilder script, Family family, List<VirtualPort> ports) {
        var virtual = new LinkedHashSet<String>();
        var hairpin = new LinkedHashSet<String>();
        for (var port : ports) {
            virtual.add(port.address().getHostAddress());
            for (var endpoint : port.endpoints()) {
                var ip = endpoint.getAddress().getHostAddress();
                hairpin.add(ip + " . " + ip);
            }
        }
        var targets = ports.stream()
                .filter(port -> !port.endpoints().isEmpty())
                .map(port -> port.address().getHostAddress() + " . " + protocol(port) + " . " + port.port() + " : goto "
                        + chain(family, port))
                .collect(Collectors.toCollection(LinkedHashSet::new));
        renderElements(script, "set virtual-" + family.suffix, family.type, virtual);
        renderElements(script, "set hairpin-" + family.suffix, family.type + " . " + family.type, hairpin);
        renderElements(
                script, "map ports-" + family.suffix, family.type + " . inet_proto . inet_service : verdict", targets);
    }

    private static void renderElements(StringBuilder script, String name, String type, Set<String> elements) {
        script.append('\t').append(name).append(" {\n\t\ttype ").append(type).append('\n');
        if (!elements.isEmpty()) {
            script.append("\t\telements = {\n\t\t\t")
                    .append(String.join(",\n\t\t\t", elements))
                    .append("\n\t\t}\n");
        }
        script.append("\t}\n");
    }

    private static void renderPort(StringBuilder script, Family family, VirtualPort port) {
        var endpoints = port.endpoints();
        script.append("\tchain ")
                .append(chain(family, port))
                .append(" {\n\t\tmeta l4proto ")
                .append(protocol(port));
        script.append(" dnat ").append(family.keyword).append(" to ");
        if (endpoints.size() == 1) {
            var only = endpoints.getFirst();
            var ip = only.getAddress().getHostAddress();
            script.append(family == Family.V6 ? "[" + ip + "]" : ip).append(':').append(only.getPort());
        } else {
            script.append("numgen random mod ").append(endpoints.size()).append(" map {\n\t\t\t");
            script.append(IntStream.range(0, endpoints.size())
                    .mapToObj(i -> i + " : " + target(endpoints.get(i)))
                    .collect(Collectors.joining(",\n\t\t\t")));
            script.append("\n\t\t}");
        }
        script.append("\n\t}\n");
    }

    private static String target(InetSocketAddress endpoint) {
        return endpoint.getAddress().getHostAddress() + " . " + endpoint.getPort();
    }

    /// nft takes letters, digits, `/`, `-`, `_` and `.` after a first letter: more than names of services can have.
    private static String chain(Family family, VirtualPort port) {
        return "service/" + port.service() + "/" + protocol(port) + "/" + port.port() + "/" + family.suffix;
    }

    private static String protocol(VirtualPort port) {
        return port.protocol().name().toLowerCase(Locale.ROOT);
    }
}
