package io.loam.protocol.xds;

import com.google.protobuf.Empty;
import com.google.protobuf.Message;
import io.loam.model.address.CidrBlock;
import io.loam.model.policy.AuthorizationPolicy;
import io.loam.model.policy.AuthorizationPolicy.Action;
import io.loam.model.policy.AuthorizationPolicy.Clause;
import io.loam.model.policy.AuthorizationPolicy.Rule;
import io.loam.model.policy.AuthorizationPolicy.Scope;
import io.loam.model.policy.Match;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch;
import io.loam.protocol.proto.security.Address;
import io.loam.protocol.proto.security.Authorization;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/// Authorization policies on the wire (wire reference, 4.4). A policy is taken as a whole or not at all:
/// leaving out a part that is not understood could open what it was meant to close.
public final class AuthorizationMapping {
    private AuthorizationMapping() {}

    /// @throws InvalidResourceException if any part of the policy cannot be used
    public static AuthorizationPolicy toModel(Authorization message) {
        var fields = new ResourceFields(message.getNamespace() + "/" + message.getName());
        return new AuthorizationPolicy(
                fields.required("name", message.getName()),
                message.getNamespace(),
                switch (message.getScope()) {
                    case GLOBAL -> Scope.GLOBAL;
                    case NAMESPACE -> Scope.NAMESPACE;
                    case WORKLOAD_SELECTOR -> Scope.WORKLOAD_SELECTOR;
                    case UNRECOGNIZED -> throw fields.invalid("scope", message.getScopeValue(), "0 to 2");
                },
                switch (message.getAction()) {
                    case ALLOW -> Action.ALLOW;
                    case DENY -> Action.DENY;
                    case UNRECOGNIZED -> throw fields.invalid("action", message.getActionValue(), "ALLOW or DENY");
                },
                each("rules", message.getRulesList(), (path, rule) -> rule(fields, path, rule, allows(message))),
                message.getDryRun());
    }

    /// Only an ALLOW is wider without a condition that is not understood.
    private static boolean allows(Authorization message) {
        return message.getAction() == io.loam.protocol.proto.security.Action.ALLOW;
    }

    /// What a rule demands in fields or extensions of a later version cannot be evaluated: an ALLOW rule then
    /// does not match, a DENY rule matches by what is left of it (hazard I17).
    private static Rule rule(
            ResourceFields fields, String path, io.loam.protocol.proto.security.Rule rule, boolean allows) {
        boolean hidden = hasUnknown(rule) || rule.getClausesList().stream().anyMatch(AuthorizationMapping::hasUnknown);
        var clauses = each(
                path + ".clauses",
                rule.getClausesList(),
                (clausePath, clause) -> clause(fields, clausePath + ".matches", clause, allows));
        return hidden && allows ? new Rule(List.of(new Clause(List.of(Match.NOTHING)))) : new Rule(clauses);
    }

    private static Clause clause(
            ResourceFields fields, String path, io.loam.protocol.proto.security.Clause clause, boolean allows) {
        var matches = new ArrayList<Match>();
        for (int i = 0; i < clause.getMatchesCount(); i++) {
            var message = clause.getMatches(i);
            var match = match(fields, path + "[" + i + "]", message);
            boolean hidden = message.getExtensionsCount() > 0 || hasUnknown(message);
            if (hidden && !allows && match.equals(Match.NOTHING)) {
                return new Clause(List.of()); // nothing is left of it, so it matches everybody
            }
            matches.add(hidden && allows ? Match.NOTHING : match);
        }
        return new Clause(matches);
    }

    private static boolean hasUnknown(Message message) {
        return !message.getUnknownFields().asMap().isEmpty();
    }

    public static Authorization toProto(AuthorizationPolicy policy) {
        var message = Authorization.newBuilder()
                .setName(policy.name())
                .setNamespace(policy.namespace())
                .setScope(
                        switch (policy.scope()) {
                            case GLOBAL -> io.loam.protocol.proto.security.Scope.GLOBAL;
                            case NAMESPACE -> io.loam.protocol.proto.security.Scope.NAMESPACE;
                            case WORKLOAD_SELECTOR -> io.loam.protocol.proto.security.Scope.WORKLOAD_SELECTOR;
                        })
                .setAction(
                        switch (policy.action()) {
                            case ALLOW -> io.loam.protocol.proto.security.Action.ALLOW;
                            case DENY -> io.loam.protocol.proto.security.Action.DENY;
                        })
                .setDryRun(policy.dryRun());
        for (var rule : policy.rules()) {
            var ruleMessage = message.addRulesBuilder();
            for (var clause : rule.clauses()) {
                var clauseMessage = ruleMessage.addClausesBuilder();
                clause.matches().forEach(match -> clauseMessage.addMatches(toProto(match)));
            }
        }
        return message.build();
    }

    private static Match match(ResourceFields fields, String path, io.loam.protocol.proto.security.Match message) {
        return new Match(
                strings(fields, path + ".namespaces", message.getNamespacesList()),
                strings(fields, path + ".not_namespaces", message.getNotNamespacesList()),
                strings(fields, path + ".principals", message.getPrincipalsList()),
                strings(fields, path + ".not_principals", message.getNotPrincipalsList()),
                accounts(message.getServiceAccountsList()),
                accounts(message.getNotServiceAccountsList()),
                blocks(fields, path + ".source_ips", message.getSourceIpsList()),
                blocks(fields, path + ".not_source_ips", message.getNotSourceIpsList()),
                blocks(fields, path + ".destination_ips", message.getDestinationIpsList()),
                blocks(fields, path + ".not_destination_ips", message.getNotDestinationIpsList()),
                ports(fields, path + ".destination_ports", message.getDestinationPortsList()),
                ports(fields, path + ".not_destination_ports", message.getNotDestinationPortsList()));
    }

    private static io.loam.protocol.proto.security.Match toProto(Match match) {
        return io.loam.protocol.proto.security.Match.newBuilder()
                .addAllNamespaces(strings(match.namespaces()))
                .addAllNotNamespaces(strings(match.notNamespaces()))
                .addAllPrincipals(strings(match.principals()))
                .addAllNotPrincipals(strings(match.notPrincipals()))
                .addAllServiceAccounts(accountMessages(match.serviceAccounts()))
                .addAllNotServiceAccounts(accountMessages(match.notServiceAccounts()))
                .addAllSourceIps(blocks(match.sourceIps()))
                .addAllNotSourceIps(blocks(match.notSourceIps()))
                .addAllDestinationIps(blocks(match.destinationIps()))
                .addAllNotDestinationIps(blocks(match.notDestinationIps()))
                // sorted, so that equal policies have equal bytes: versions are hashes of them
                .addAllDestinationPorts(
                        match.destinationPorts().stream().sorted().toList())
                .addAllNotDestinationPorts(
                        match.notDestinationPorts().stream().sorted().toList())
                .build();
    }

    private static List<StringMatch> strings(
            ResourceFields fields, String path, List<io.loam.protocol.proto.security.StringMatch> messages) {
        return each(path, messages, (field, message) -> switch (message.getMatchTypeCase()) {
            case EXACT -> new StringMatch.Exact(message.getExact());
            case PREFIX -> new StringMatch.Prefix(message.getPrefix());
            case SUFFIX -> new StringMatch.Suffix(message.getSuffix());
            case PRESENCE -> new StringMatch.Presence();
            case MATCHTYPE_NOT_SET ->
                throw fields.invalid(field + ".match_type", "none", "exact, prefix, suffix or presence");
        });
    }

    private static List<io.loam.protocol.proto.security.StringMatch> strings(List<StringMatch> matches) {
        return matches.stream().map(AuthorizationMapping::toProto).toList();
    }

    private static io.loam.protocol.proto.security.StringMatch toProto(StringMatch match) {
        var message = io.loam.protocol.proto.security.StringMatch.newBuilder();
        return switch (match) {
            case StringMatch.Exact(var text) -> message.setExact(text).build();
            case StringMatch.Prefix(var text) -> message.setPrefix(text).build();
            case StringMatch.Suffix(var text) -> message.setSuffix(text).build();
            case StringMatch.Presence() ->
                message.setPresence(Empty.getDefaultInstance()).build();
        };
    }

    private static List<ServiceAccountMatch> accounts(
            List<io.loam.protocol.proto.security.ServiceAccountMatch> messages) {
        return messages.stream()
                .map(message -> new ServiceAccountMatch(message.getNamespace(), message.getServiceAccount()))
                .toList();
    }

    private static List<io.loam.protocol.proto.security.ServiceAccountMatch> accountMessages(
            List<ServiceAccountMatch> accounts) {
        return accounts.stream()
                .map(account -> io.loam.protocol.proto.security.ServiceAccountMatch.newBuilder()
                        .setNamespace(account.namespace())
                        .setServiceAccount(account.serviceAccount())
                        .build())
                .toList();
    }

    private static List<CidrBlock> blocks(ResourceFields fields, String path, List<Address> messages) {
        return each(path, messages, (field, message) -> fields.block(field, message.getAddress(), message.getLength()));
    }

    private static List<Address> blocks(List<CidrBlock> blocks) {
        return blocks.stream()
                .map(block -> Address.newBuilder()
                        .setAddress(ResourceFields.toProto(block.address()))
                        .setLength(block.prefixLength())
                        .build())
                .toList();
    }

    private static Set<Integer> ports(ResourceFields fields, String path, List<Integer> ports) {
        return each(path, ports, (field, port) -> fields.port(field, port, 0)).stream()
                .collect(Collectors.toUnmodifiableSet());
    }

    /// @param convert called with the path of an element and the element
    private static <S, T> List<T> each(String path, List<S> elements, BiFunction<String, S, T> convert) {
        return IntStream.range(0, elements.size())
                .mapToObj(i -> convert.apply(path + "[" + i + "]", elements.get(i)))
                .toList();
    }
}
