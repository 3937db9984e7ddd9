package io.loam.cni.rules;

import java.net.Inet4Address;
import java.util.List;
import java.util.stream.Collectors;

/// The redirection rules of one pod as nft scripts, each one transaction: the kernel applies all of it or
/// nothing.
///
/// Three `inet` tables with Istio's names, so that either side's tools recognise them (wire reference, 1.3
/// and 1.5; the numbers in the comments are those of its table). Two things differ from the reference, both
/// for the sake of connections that are open at the moment a pod joins or leaves:
///
/// - A nat hook that appears while a connection is open takes its next packet for the first of a new
/// connection and
///   would redirect it. So redirection asks for a packet that opens a connection: SYN without ACK.
/// - Deleting the last nat chain unregisters the hook that translates the packets of every connection
/// redirected
///   before, which breaks them. So leaving has two phases: {@link #leaving} keeps the chains and the return
/// path but
///   redirects nothing any more, {@link #REMOVAL} follows when no such connection is left.
///
/// Scripts add and flush instead of deleting and creating: tables left by a predecessor are replaced in
/// place, and hooks never disappear in between.
///
/// What is redirected or finds its way back by its mark does so by an entry of the kernel's connection tracking, and
/// in a pod's namespace the kernel drops the entry of a half-closed connection (CLOSE_WAIT) after 60 s of silence.
/// What either side sends later goes astray, so here both states in which a connection may be silent for good last
/// for days (hazard T10). A timeout policy of the table does that, not the namespace's settings: it comes and goes
/// with the transaction, and nothing has to be remembered to be restored. States in which a live end always has the
/// next word keep the kernel's times, so that lost connections do not fill the table.
///
/// @param dnsCapture redirect DNS to port 15053
/// @param bypassInbound leave inbound connections to the application
/// @param rerouteInterfaces checked names, see {@link PodAnnotations}
/// @param ipv6 the pod has IPv6
/// @param exclusions what is left alone in both directions
public record PodRules(
        boolean dnsCapture,
        boolean bypassInbound,
        List<String> rerouteInterfaces,
        boolean ipv6,
        CaptureExclusions exclusions) {
    /// Every socket the proxy opens in the pod bears it (wire reference, 1.2).
    static final String PROXY_MARK = "0x539";
    /// Connections from the proxy to the application, and the replies on them.
    static final String RETURN_MARK = "0x111";
    /// Marks are compared in their lower 12 bits; the upper ones are other people's.
    static final String MARK_MASK = "0xfff";

    static final String PROBE_SOURCE_V4 = "169.254.7.127";
    static final String PROBE_SOURCE_V6 = "fd16:9254:7127:1337:ffff:ffff:ffff:ffff";

    private static final int OUTBOUND_PORT = 15001;
    private static final int INBOUND_PORT = 15006;
    private static final int HBONE_PORT = 15008;
    private static final int DNS_PORT = 15053;

    private static final String NAT = "istio-ambient-nat";
    private static final String MANGLE = "istio-ambient-mangle";
    private static final String RAW = "istio-ambient-raw";

    /// Named like Istio's chains, unlike anything of Istio's.
    private static final String TIMEOUTS = "loam-half-closed";
    /// Five days, the kernel's own time for ESTABLISHED. Keep-alives of the proxy refresh an entry long before.
    private static final int SILENT_SECONDS = 5 * 24 * 60 * 60;

    private static final String IS_PROXY = "meta mark & " + MARK_MASK + " == " + PROXY_MARK;
    private static final String NOT_PROXY = "meta mark & " + MARK_MASK + " != " + PROXY_MARK;
    private static final String OPENS = "tcp flags & (fin | syn | rst | ack) == syn";

    /// Takes everything away. Adding first makes deleting succeed where there is nothing.
    public static final String REMOVAL = removal();

    public PodRules {
        rerouteInterfaces = List.copyOf(rerouteInterfaces);
    }

    /// Without exclusions.
    public PodRules(boolean dnsCapture, boolean bypassInbound, List<String> rerouteInterfaces, boolean ipv6) {
        this(dnsCapture, bypassInbound, rerouteInterfaces, ipv6, CaptureExclusions.NONE);
    }

    public static PodRules of(PodAnnotations annotations, boolean dnsCaptureByDefault, boolean ipv6) {
        var dns = annotations.dnsCapture();
        return new PodRules(
                dns == null ? dnsCaptureByDefault : dns,
                annotations.bypassInbound(),
                annotations.rerouteInterfaces(),
                ipv6,
                annotations.exclusions());
    }

    /// The script that starts redirection, whatever was there before.
    public String enrolled() {
        var script = new Script();
        emptyTables(script);
        natPrerouting(script);
        natOutput(script);
        mangle(script);
        if (dnsCapture) {
            raw(script);
        }
        return script.text();
    }

    /// The script that stops redirecting new connections and lets those in flight end.
    public String leaving() {
        var script = new Script();
        emptyTables(script);
        mangle(script);
        return script.text();
    }

    private void emptyTables(Script script) {
        script.line("add table inet " + NAT);
        // Leaving keeps it: with the policy its connections would lose their times.
        script.line("add ct timeout inet " + NAT + " " + TIMEOUTS + " { protocol tcp; policy = { established : "
                + SILENT_SECONDS + ", close_wait : " + SILENT_SECONDS + " }; }");
        script.baseChain(NAT, "prerouting", "nat", "prerouting", -100);
        script.baseChain(NAT, "output", "nat", "output", -100);
        script.chain(NAT, "istio-prerouting");
        script.chain(NAT, "istio-output");
        script.line("flush table inet " + NAT);
        script.rule(NAT, "prerouting", "jump istio-prerouting");
        script.rule(NAT, "output", "jump istio-output");

        script.line("add table inet " + MANGLE);
        script.baseChain(MANGLE, "prerouting", "filter", "prerouting", -150);
        script.baseChain(MANGLE, "output", "route", "output", -150);
        script.chain(MANGLE, "istio-prerouting");
        script.chain(MANGLE, "istio-output");
        script.line("flush table inet " + MANGLE);
        script.rule(MANGLE, "prerouting", "jump istio-prerouting");
        script.rule(MANGLE, "output", "jump istio-output");

        script.line("add table inet " + RAW); // may be a leftover with DNS capture
        script.line("delete table inet " + RAW);
    }

    private void natPrerouting(Script script) {
        script.rule(NAT, "istio-prerouting", tcp("ct timeout set \"" + TIMEOUTS + "\""));
        for (var name : rerouteInterfaces) {
            script.rule(
                    NAT,
                    "istio-prerouting",
                    "iifname \"" + name + "\" " + OPENS + " redirect to :" + OUTBOUND_PORT); // nested machines go out
            script.rule(NAT, "istio-prerouting", "iifname \"" + name + "\" meta l4proto tcp return");
        }
        if (bypassInbound) {
            return;
        }
        script.both(
                NAT, "istio-prerouting", "saddr " + PROBE_SOURCE_V4, "saddr " + PROBE_SOURCE_V6, tcp("accept")); // 3
        if (!exclusions.inboundPorts().isEmpty()) {
            script.rule(NAT, "istio-prerouting", "tcp dport " + set(exclusions.inboundPorts()) + " accept");
        }
        script.both( // 5: inbound plaintext; HBONE reaches its port untouched
                NAT,
                "istio-prerouting",
                "daddr != 127.0.0.1",
                "daddr != ::1",
                OPENS + " tcp dport != " + HBONE_PORT + " " + NOT_PROXY + " redirect to :" + INBOUND_PORT);
    }

    private void natOutput(Script script) {
        script.rule(NAT, "istio-output", tcp("ct timeout set \"" + TIMEOUTS + "\""));
        script.both(NAT, "istio-output", "daddr " + PROBE_SOURCE_V4, "daddr " + PROBE_SOURCE_V6, tcp("accept")); // 4
        if (dnsCapture) {
            script.rule( // 6
                    NAT, "istio-output", "oifname != \"lo\" udp dport 53 " + NOT_PROXY + " redirect to :" + DNS_PORT);
            script.both( // 7
                    NAT,
                    "istio-output",
                    "daddr != 127.0.0.1",
                    "daddr != ::1",
                    OPENS + " tcp dport 53 " + NOT_PROXY + " redirect to :" + DNS_PORT);
        }
        script.rule( // 8: replies of the application to the proxy are not outbound connections
                NAT, "istio-output", tcp("meta mark & " + MARK_MASK + " == " + RETURN_MARK + " accept"));
        script.both( // 9: a pod that calls its own address is not captured
                NAT, "istio-output", "daddr != 127.0.0.1", "daddr != ::1", "oifname \"lo\" accept");
        if (!exclusions.outboundPorts().isEmpty()) {
            script.rule(NAT, "istio-output", "tcp dport " + set(exclusions.outboundPorts()) + " accept");
        }
        for (var block : exclusions.outboundBlocks()) {
            var family = block.address() instanceof Inet4Address ? "ip" : "ip6";
            script.rule(NAT, "istio-output", family + " daddr " + block + " " + tcp("accept"));
        }
        script.both( // 10: outbound
                NAT,
                "istio-output",
                "daddr != 127.0.0.1",
                "daddr != ::1",
                OPENS + " " + NOT_PROXY + " redirect to :" + OUTBOUND_PORT);
    }

    private void mangle(Script script) {
        script.rule( // 1: the proxy's connection to the application has come round through lo: tag it
                MANGLE, "istio-prerouting", IS_PROXY + " ct mark set ct mark & 0xfffff000 | " + RETURN_MARK);
        script.rule( // 2: replies on it go back to the proxy, though they are addressed to the remote client
                MANGLE, "istio-output", "ct mark & " + MARK_MASK + " == " + RETURN_MARK + " meta mark set ct mark");
    }

    private void raw(Script script) {
        script.line("add table inet " + RAW);
        script.baseChain(RAW, "prerouting", "filter", "prerouting", -300);
        script.baseChain(RAW, "output", "filter", "output", -300);
        script.chain(RAW, "istio-prerouting");
        script.chain(RAW, "istio-output");
        script.rule(RAW, "prerouting", "jump istio-prerouting");
        script.rule(RAW, "output", "jump istio-output");
        // 11, 12: the proxy's own query and the application's may have the same addresses and ports
        script.rule(RAW, "istio-output", "udp dport 53 " + IS_PROXY + " ct zone set 1");
        script.rule(RAW, "istio-prerouting", "udp sport 53 " + NOT_PROXY + " ct zone set 1");
    }

    private static String set(List<Integer> ports) {
        return ports.stream().map(String::valueOf).collect(Collectors.joining(", ", "{ ", " }"));
    }

    private static String tcp(String rest) {
        return "meta l4proto tcp " + rest;
    }

    private static String removal() {
        var text = new StringBuilder();
        for (var table : List.of(NAT, MANGLE, RAW)) {
            text.append("add table inet ").append(table).append('\n');
            text.append("delete table inet ").append(table).append('\n');
        }
        return text.toString();
    }

    /// Lines of an nft script.
    private final class Script {
        private final StringBuilder text = new StringBuilder();

        void line(String line) {
            text.append(line).append('\n');
        }

        void chain(String table, String chain) {
            line("add chain inet " + table + " " + chain);
        }

        void baseChain(String table, String chain, String type, String hook, int priority) {
            line("add chain inet " + table + " " + chain + " { type " + type + " hook " + hook + " priority " + priority
                    + "; policy accept; }");
        }

        void rule(String table, String chain, String rule) {
            line("add rule inet " + table + " " + chain + " " + rule);
        }

        /// One rule per address family, the IPv6 one only where there is IPv6.
        void both(String table, String chain, String matchV4, String matchV6, String rest) {
            rule(table, chain, "ip " + matchV4 + " " + rest);
            if (ipv6) {
                rule(table, chain, "ip6 " + matchV6 + " " + rest);
            }
        }

        String text() {
            return text.toString();
        }
    }
}
