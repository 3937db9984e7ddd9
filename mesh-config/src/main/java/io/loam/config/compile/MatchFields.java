package io.loam.config.compile;

import io.loam.model.address.CidrBlock;
import io.loam.model.policy.Match;
import io.loam.model.policy.Match.ServiceAccountMatch;
import io.loam.model.policy.StringMatch;
import java.util.List;
import java.util.Set;

/// Matches of one kind of field.
final class MatchFields {
    private MatchFields() {}

    static Match namespaces(List<StringMatch> any, List<StringMatch> none) {
        return match(any, none, List.of(), List.of(), List.of(), List.of(), List.of(), List.of());
    }

    static Match principals(List<StringMatch> any, List<StringMatch> none) {
        return match(List.of(), List.of(), any, none, List.of(), List.of(), List.of(), List.of());
    }

    static Match serviceAccounts(List<ServiceAccountMatch> any, List<ServiceAccountMatch> none) {
        return match(List.of(), List.of(), List.of(), List.of(), any, none, List.of(), List.of());
    }

    static Match sourceIps(List<CidrBlock> any, List<CidrBlock> none) {
        return match(List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), any, none);
    }

    static Match destinationIps(List<CidrBlock> any, List<CidrBlock> none) {
        return new Match(
                List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), any, none,
                Set.of(), Set.of());
    }

    static Match ports(Set<Integer> any, Set<Integer> none) {
        return new Match(
                List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(),
                List.of(), any, none);
    }

    private static Match match(
            List<StringMatch> namespaces,
            List<StringMatch> notNamespaces,
            List<StringMatch> principals,
            List<StringMatch> notPrincipals,
            List<ServiceAccountMatch> serviceAccounts,
            List<ServiceAccountMatch> notServiceAccounts,
            List<CidrBlock> sourceIps,
            List<CidrBlock> notSourceIps) {
        return new Match(
                namespaces,
                notNamespaces,
                principals,
                notPrincipals,
                serviceAccounts,
                notServiceAccounts,
                sourceIps,
                notSourceIps,
                List.of(),
                List.of(),
                Set.of(),
                Set.of());
    }
}
