package io.loam.model.policy;

import io.loam.model.address.CidrBlock;
import java.util.List;
import java.util.Set;

/// What a connection must look like: the kinds of fields are ANDed, the values of one kind ORed, `not…` means
/// none of its values (wire reference, 7.2). A match without any field matches nothing.
public record Match(
        List<StringMatch> namespaces,
        List<StringMatch> notNamespaces,
        List<StringMatch> principals,
        List<StringMatch> notPrincipals,
        List<ServiceAccountMatch> serviceAccounts,
        List<ServiceAccountMatch> notServiceAccounts,
        List<CidrBlock> sourceIps,
        List<CidrBlock> notSourceIps,
        List<CidrBlock> destinationIps,
        List<CidrBlock> notDestinationIps,
        Set<Integer> destinationPorts,
        Set<Integer> notDestinationPorts) {
    /// No field at all.
    public static final Match NOTHING = new Match(
            List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(), List.of(),
            List.of(), Set.of(), Set.of());

    public Match {
        namespaces = List.copyOf(namespaces);
        notNamespaces = List.copyOf(notNamespaces);
        principals = List.copyOf(principals);
        notPrincipals = List.copyOf(notPrincipals);
        serviceAccounts = List.copyOf(serviceAccounts);
        notServiceAccounts = List.copyOf(notServiceAccounts);
        sourceIps = List.copyOf(sourceIps);
        notSourceIps = List.copyOf(notSourceIps);
        destinationIps = List.copyOf(destinationIps);
        notDestinationIps = List.copyOf(notDestinationIps);
        destinationPorts = Set.copyOf(destinationPorts);
        notDestinationPorts = Set.copyOf(notDestinationPorts);
    }

    /// A service account of one namespace, in any trust domain.
    public record ServiceAccountMatch(String namespace, String serviceAccount) {}
}
