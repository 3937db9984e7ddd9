package io.loam.model.policy;

import io.loam.model.address.CidrBlock;
import io.loam.model.address.IpBits;
import io.loam.model.identity.SpiffeId;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch.Exact;
import io.loam.model.policy.StringMatch.Prefix;
import io.loam.model.policy.StringMatch.Presence;
import io.loam.model.policy.StringMatch.Suffix;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// The rules of one policy as bytes, which connections are compared with as they lie. Immutable; comparing
/// allocates nothing.
///
/// Design. As objects a rule takes 400 to 600 bytes, nearly all of it headers, references and empty lists, and a mesh
/// of 100,000 rules did not fit into the heap of an agent. Here a rule takes what its texts take and some bytes:
///
/// ```
/// rule     clause*                       from starts[i] to starts[i + 1]
/// clause   size, match*                  no match: matches everything
/// match    size, field*                  no field: matches nothing
/// field    kind and whether it negates, size, value*
/// value    port: number; name: form, text; account: text, text; block: prefix length, address size, address
/// text     size, its characters as numbers
/// ```
///
/// A size counts the bytes behind it. Numbers have seven bits in each byte, the lowest first, and the highest bit where
/// more follow: one byte for each character of a name. Names of peers have no others ({@link SpiffeId}), so a text with
/// one is nobody's.
final class EncodedRules {
    private static final int PORTS = 0;
    private static final int PRINCIPALS = 1;
    private static final int NAMESPACES = 2;
    private static final int ACCOUNTS = 3;
    private static final int SOURCES = 4;
    private static final int DESTINATIONS = 5;

    private static final int EXACT = 0;
    private static final int PREFIX = 1;
    private static final int SUFFIX = 2;
    private static final int PRESENCE = 3;

    private static final String NAMESPACE = "/ns/";
    private static final String ACCOUNT = "/sa/";

    private final byte[] code;
    private final int[] starts; // of each rule; one more than there are rules

    private EncodedRules(byte[] code, int[] starts) {
        this.code = code;
        this.starts = starts;
    }

    static EncodedRules of(List<Rule> rules) {
        var code = new Encoder();
        var starts = new int[rules.size() + 1];
        for (int i = 0; i < rules.size(); i++) {
            for (var clause : rules.get(i).clauses()) {
                code.sized(matches -> clause.matches().forEach(match -> matches.sized(fields -> fields.match(match))));
            }
            starts[i + 1] = code.length;
        }
        return new EncodedRules(Arrays.copyOf(code.bytes, code.length), starts);
    }

    int size() {
        return starts.length - 1;
    }

    /// The rules as they were given, made anew each time.
    List<Rule> decoded() {
        var rules = new ArrayList<Rule>(size());
        for (int i = 0; i < size(); i++) {
            rules.add(new Decoder(starts[i], starts[i + 1]).rule());
        }
        return rules;
    }

    boolean sameAs(EncodedRules other) {
        return Arrays.equals(starts, other.starts) && Arrays.equals(code, other.code);
    }

    /// Whether one rule matches: all of its clauses. Allocates nothing.
    boolean matches(int rule, ConnectionAttributes connection) {
        int at = starts[rule];
        int end = starts[rule + 1];
        while (at < end) {
            int size = number(at);
            at += width(size);
            if (!anyMatches(at, at + size, connection)) {
                return false;
            }
            at += size;
        }
        return true;
    }

    private boolean anyMatches(int from, int to, ConnectionAttributes connection) {
        int at = from;
        while (at < to) {
            int size = number(at);
            at += width(size);
            if (size > 0 && allFieldsAgree(at, at + size, connection)) {
                return true;
            }
            at += size;
        }
        return from == to;
    }

    private boolean allFieldsAgree(int from, int to, ConnectionAttributes connection) {
        int at = from;
        while (at < to) {
            int tag = code[at++];
            int size = number(at);
            at += width(size);
            boolean negates = (tag & 1) != 0;
            if (hasAny(tag >> 1, at, at + size, connection) == negates) {
                return false;
            }
            at += size;
        }
        return true;
    }

    /// Whether the connection has any of a field's values. Without an identity no principal and no account matches,
    /// not even an empty one: `not_principals: presence` means "no mTLS".
    private boolean hasAny(int kind, int from, int to, ConnectionAttributes connection) {
        var peer = connection.peer();
        return switch (kind) {
            case PORTS -> hasPort(from, to, connection.destinationPort());
            case PRINCIPALS -> peer != null && hasPrincipal(from, to, peer);
            case NAMESPACES -> hasName(from, to, peer == null ? "" : peer.namespace());
            case ACCOUNTS -> peer != null && hasAccount(from, to, peer);
            case SOURCES -> hasBlock(from, to, connection.source());
            case DESTINATIONS -> hasBlock(from, to, connection.destination());
            default -> throw new IllegalStateException("kind of field: " + kind);
        };
    }

    private boolean hasPort(int from, int to, int port) {
        int at = from;
        while (at < to) {
            int candidate = number(at);
            if (candidate == port) {
                return true;
            }
            at += width(candidate);
        }
        return false;
    }

    private boolean hasName(int from, int to, String name) {
        int at = from;
        while (at < to) {
            int form = code[at++];
            int size = number(at);
            at += width(size);
            boolean matches = switch (form) {
                case EXACT -> size == name.length() && isAt(at, size, name, 0);
                case PREFIX -> !name.isEmpty() && isAt(at, size, name, 0);
                case SUFFIX -> !name.isEmpty() && isAt(at, size, name, name.length() - size);
                default -> !name.isEmpty();
            };
            if (matches) {
                return true;
            }
            at += size;
        }
        return false;
    }

    private boolean hasAccount(int from, int to, SpiffeId peer) {
        int at = from;
        while (at < to) {
            int namespace = number(at);
            at += width(namespace);
            int account = number(at + namespace);
            int accountAt = at + namespace + width(account);
            if (namespace == peer.namespace().length()
                    && account == peer.serviceAccount().length()
                    && isAt(accountAt, account, peer.serviceAccount(), 0)
                    && isAt(at, namespace, peer.namespace(), 0)) {
                return true;
            }
            at = accountAt + account;
        }
        return false;
    }

    private boolean hasBlock(int from, int to, IpBits address) {
        int at = from;
        while (at < to) {
            int prefixLength = number(at);
            at += width(prefixLength);
            int size = code[at++];
            boolean v6 = size > 4;
            if (v6 == address.v6()
                    && isInside(at, Math.min(prefixLength, Long.SIZE), address.high())
                    && isInside(at + Long.BYTES, prefixLength - Long.SIZE, address.low())) {
                return true;
            }
            at += size;
        }
        return false;
    }

    /// Whether the first `count` bits of `bits` are those that lie at `at`.
    private boolean isInside(int at, int count, long bits) {
        for (int i = 0; i < count; i += Byte.SIZE) {
            int differing = (code[at + i / Byte.SIZE] ^ (int) (bits >>> (Long.SIZE - Byte.SIZE - i))) & 0xff;
            if (differing >>> Math.max(0, Byte.SIZE - (count - i)) != 0) {
                return false;
            }
        }
        return true;
    }

    /// Compares with `<trust domain>/ns/<namespace>/sa/<service account>` piece by piece, because putting the pieces
    /// together would allocate.
    private boolean hasPrincipal(int from, int to, SpiffeId peer) {
        int length = peer.trustDomain().length()
                + NAMESPACE.length()
                + peer.namespace().length()
                + ACCOUNT.length()
                + peer.serviceAccount().length();
        int at = from;
        while (at < to) {
            int form = code[at++];
            int size = number(at);
            at += width(size);
            boolean matches = switch (form) {
                case EXACT -> size == length && isInPrincipal(at, size, peer, 0);
                case PREFIX -> size <= length && isInPrincipal(at, size, peer, 0);
                case SUFFIX -> size <= length && isInPrincipal(at, size, peer, length - size);
                default -> true;
            };
            if (matches) {
                return true;
            }
            at += size;
        }
        return false;
    }

    /// @param start where in the principal the text would stand; it does not reach over its end
    private boolean isInPrincipal(int text, int size, SpiffeId peer, int start) {
        int at = -start; // where the next piece begins, counted in the text
        return agrees(text, size, at, peer.trustDomain())
                && agrees(text, size, at += peer.trustDomain().length(), NAMESPACE)
                && agrees(text, size, at += NAMESPACE.length(), peer.namespace())
                && agrees(text, size, at += peer.namespace().length(), ACCOUNT)
                && agrees(text, size, at + ACCOUNT.length(), peer.serviceAccount());
    }

    /// Whether the part of `piece` that lies over the text is equal to it, when `piece` begins at `at`.
    private boolean agrees(int text, int size, int at, String piece) {
        int from = Math.max(at, 0);
        int to = Math.min(at + piece.length(), size);
        return from >= to || isAt(text + from, to - from, piece, from - at);
    }

    /// Whether `size` bytes of text are what `name` has from `offset` on.
    private boolean isAt(int text, int size, String name, int offset) {
        if (offset < 0 || offset + size > name.length()) {
            return false;
        }
        for (int i = 0; i < size; i++) {
            if (code[text + i] != name.charAt(offset + i)) {
                return false;
            }
        }
        return true;
    }

    private int number(int at) {
        int first = code[at];
        return first >= 0 ? first : longNumber(at);
    }

    private int longNumber(int from) {
        int number = 0;
        int at = from;
        for (int shift = 0; ; shift += 7) {
            int next = code[at++];
            number |= (next & 0x7f) << shift;
            if (next >= 0) {
                return number;
            }
        }
    }

    /// Bytes that a number takes.
    private static int width(int number) {
        int width = 1;
        for (int rest = number >>> 7; rest != 0; rest >>>= 7) {
            width++;
        }
        return width;
    }

    private static final class Encoder {
        private byte[] bytes = new byte[64];
        private int length;

        void sized(Consumer<Encoder> content) {
            var inner = new Encoder();
            content.accept(inner);
            number(inner.length);
            bytes(inner.bytes, inner.length);
        }

        void match(Match match) {
            field(
                    PORTS,
                    match.destinationPorts(),
                    match.notDestinationPorts(),
                    (out, ports) -> ports.stream().sorted().forEach(out::number));
            field(PRINCIPALS, match.principals(), match.notPrincipals(), Encoder::names);
            field(NAMESPACES, match.namespaces(), match.notNamespaces(), Encoder::names);
            field(ACCOUNTS, match.serviceAccounts(), match.notServiceAccounts(), Encoder::accounts);
            field(SOURCES, match.sourceIps(), match.notSourceIps(), Encoder::blocks);
            field(DESTINATIONS, match.destinationIps(), match.notDestinationIps(), Encoder::blocks);
        }

        private <C extends Collection<?>> void field(int kind, C values, C notValues, BiConsumer<Encoder, C> write) {
            if (!values.isEmpty()) {
                number(kind << 1);
                sized(out -> write.accept(out, values));
            }
            if (!notValues.isEmpty()) {
                number(kind << 1 | 1);
                sized(out -> write.accept(out, notValues));
            }
        }

        private void names(List<StringMatch> names) {
            for (var name : names) {
                switch (name) {
                    case Exact(var text) -> name(EXACT, text);
                    case Prefix(var text) -> name(PREFIX, text);
                    case Suffix(var text) -> name(SUFFIX, text);
                    case Presence() -> name(PRESENCE, "");
                }
            }
        }

        private void name(int form, String text) {
            number(form);
            text(text);
        }

        private void accounts(List<ServiceAccountMatch> accounts) {
            for (var account : accounts) {
                text(account.namespace());
                text(account.serviceAccount());
            }
        }

        private void blocks(List<CidrBlock> blocks) {
            for (var block : blocks) {
                var address = block.address().getAddress();
                number(block.prefixLength());
                number(address.length);
                bytes(address, address.length);
            }
        }

        private void text(String text) {
            sized(out -> text.chars().forEach(out::number));
        }

        private void number(int number) {
            int rest = number;
            while (rest >>> 7 != 0) {
                add((byte) (rest | 0x80));
                rest >>>= 7;
            }
            add((byte) rest);
        }

        private void bytes(byte[] added, int count) {
            if (length + count > bytes.length) {
                bytes = Arrays.copyOf(bytes, Math.max(2 * bytes.length, length + count));
            }
            System.arraycopy(added, 0, bytes, length, count);
            length += count;
        }

        private void add(byte next) {
            if (length == bytes.length) {
                bytes = Arrays.copyOf(bytes, 2 * bytes.length);
            }
            bytes[length++] = next;
        }
    }

    private final class Decoder {
        private int at;
        private final int end;

        Decoder(int at, int end) {
            this.at = at;
            this.end = end;
        }

        Rule rule() {
            var clauses = new ArrayList<Clause>();
            while (at < end) {
                clauses.add(sized().clause());
            }
            return new Rule(clauses);
        }

        private Clause clause() {
            var matches = new ArrayList<Match>();
            while (at < end) {
                matches.add(sized().match());
            }
            return new Clause(matches);
        }

        private Match match() {
            var fields = new Decoder[2 * (DESTINATIONS + 1)];
            while (at < end) {
                int tag = next();
                fields[tag] = sized();
            }
            return new Match(
                    names(fields[2 * NAMESPACES]),
                    names(fields[2 * NAMESPACES + 1]),
                    names(fields[2 * PRINCIPALS]),
                    names(fields[2 * PRINCIPALS + 1]),
                    accounts(fields[2 * ACCOUNTS]),
                    accounts(fields[2 * ACCOUNTS + 1]),
                    blocks(fields[2 * SOURCES]),
                    blocks(fields[2 * SOURCES + 1]),
                    blocks(fields[2 * DESTINATIONS]),
                    blocks(fields[2 * DESTINATIONS + 1]),
                    new HashSet<>(values(fields[2 * PORTS], Decoder::next)),
                    new HashSet<>(values(fields[2 * PORTS + 1], Decoder::next)));
        }

        private static List<StringMatch> names(@Nullable Decoder field) {
            return values(field, in -> {
                int form = in.next();
                var text = in.text();
                return switch (form) {
                    case EXACT -> new Exact(text);
                    case PREFIX -> new Prefix(text);
                    case SUFFIX -> new Suffix(text);
                    default -> new Presence();
                };
            });
        }

        private static List<ServiceAccountMatch> accounts(@Nullable Decoder field) {
            return values(field, in -> new ServiceAccountMatch(in.text(), in.text()));
        }

        private static List<CidrBlock> blocks(@Nullable Decoder field) {
            return values(field, in -> {
                int prefixLength = in.next();
                return new CidrBlock(in.address(), prefixLength);
            });
        }

        private static <V> List<V> values(@Nullable Decoder field, Function<Decoder, V> read) {
            if (field == null) {
                return List.of();
            }
            var values = new ArrayList<V>();
            while (field.at < field.end) {
                values.add(read.apply(field));
            }
            return values;
        }

        private InetAddress address() {
            int size = next();
            var bytes = Arrays.copyOfRange(code, at, at + size);
            at += size;
            try {
                return InetAddress.getByAddress(bytes);
            } catch (UnknownHostException e) {
                throw new AssertionError("4 and 16 bytes are addresses", e);
            }
        }

        private String text() {
            var characters = sized();
            var text = new StringBuilder(characters.end - characters.at);
            while (characters.at < characters.end) {
                text.append((char) characters.next());
            }
            return text.toString();
        }

        private int next() {
            int number = number(at);
            at += width(number);
            return number;
        }

        /// What lies behind a size; it is passed over here.
        private Decoder sized() {
            int size = next();
            var inner = new Decoder(at, at + size);
            at += size;
            return inner;
        }
    }
}
