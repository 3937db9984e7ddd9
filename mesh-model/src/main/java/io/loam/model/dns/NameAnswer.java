package io.loam.model.dns;

import java.net.InetAddress;
import java.util.List;

/// What the mesh has to say about a name.
public sealed interface NameAnswer {
    /// The mesh does not know the name: whoever was asked in the first place has to be asked.
    NameAnswer NOT_OURS = new NotOurs();

    /// The name exists and has no address of the family: no error and no record, never NXDOMAIN.
    NameAnswer NO_DATA = new NoData();

    /// @param alias the name that the addresses belong to, where it is not the one that was asked for: a
    ///     search suffix of the client's resolver was taken off it. "" otherwise
    /// @param addresses at least one, of one family, in random order
    record Addresses(String alias, List<InetAddress> addresses) implements NameAnswer {
        public Addresses {
            addresses = List.copyOf(addresses);
        }
    }

    record NoData() implements NameAnswer {}

    record NotOurs() implements NameAnswer {}
}
