package io.loam.model.dns;

import static io.loam.model.Meshes.ip;
import static io.loam.model.Meshes.key;
import static io.loam.model.Meshes.mesh;
import static io.loam.model.Meshes.pod;
import static io.loam.model.Meshes.service;
import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.address.CidrBlock;
import io.loam.model.mesh.MeshDelta;
import io.loam.model.mesh.MeshSnapshot;
import io.loam.model.service.LoadBalancing;
import io.loam.model.service.LoadBalancing.HealthPolicy;
import io.loam.model.service.LoadBalancing.Mode;
import io.loam.model.service.Service;
import io.loam.model.service.Service.Visibility;
import io.loam.model.service.ServiceAddress;
import io.loam.model.workload.Workload;
import io.loam.model.workload.Workload.Status;
import java.net.InetAddress;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Wire reference, section 9.
class NameResolverTest {
    private static final Workload CLIENT = pod("client", "10.1.0.1").build();
    private static final NameResolver RESOLVER = new NameResolver("cluster.local", "", true);

    /// `web` in shop and bank, `db` headless in shop, hosts outside, wildcards.
    private static final MeshSnapshot MESH = mesh(
            service("web", "10.96.1.1", "fd00::1"),
            service("web", "10.96.2.2").with(it -> it.namespace = "bank"),
            service("four", "10.96.4.4"),
            service("db"),
            pod("db-0", "10.1.0.10", "fd00::10").of(key("shop", "db")),
            pod("db-1", "10.1.0.11").of(key("shop", "db")),
            pod("db-2", "10.1.0.12").of(key("shop", "db")).with(it -> it.status = Status.UNHEALTHY),
            service("empty"),
            host("api.example.com", "240.240.0.1"),
            host("*.example.com", "240.240.0.2"),
            host("*.deep.example.com", "240.240.0.3"),
            host("nowhere.example.org"),
            host("blocks.example.org", "198.51.100.0/24"));

    private static io.loam.model.Meshes.ServiceBuilder host(String hostname, String... addresses) {
        return service("entry", addresses).with(it -> it.hostname = hostname);
    }

    @ParameterizedTest
    @CsvSource({
        // the name itself
        "web.shop.svc.cluster.local, '', 10.96.1.1",
        "web.shop.svc.cluster.local., '', 10.96.1.1",
        "WEB.Shop.svc.CLUSTER.local, '', 10.96.1.1",
        "web.bank.svc.cluster.local, '', 10.96.2.2",
        "api.example.com, '', 240.240.0.1",
        // short forms, from the client's namespace
        "web, '', 10.96.1.1",
        "web.shop, '', 10.96.1.1",
        "web.bank, '', 10.96.2.2",
        "web.bank.svc, '', 10.96.2.2",
        // a resolver's search list, tried before the name itself
        "web.bank.shop.svc.cluster.local, web.bank.svc.cluster.local, 10.96.2.2",
        "web.bank.svc.svc.cluster.local, web.bank.svc.cluster.local, 10.96.2.2",
        "web.bank.svc.cluster.local.shop.svc.cluster.local, web.bank.svc.cluster.local, 10.96.2.2",
        "web.cluster.local, web.shop.svc.cluster.local, 10.96.1.1",
        "api.example.com.shop.svc.cluster.local, api.example.com, 240.240.0.1",
        "api.example.com.svc.cluster.local, api.example.com, 240.240.0.1",
        "api.example.com.cluster.local, api.example.com, 240.240.0.1",
        // wildcards: the most specific; they have no name to be an alias of
        "other.example.com, '', 240.240.0.2",
        "a.b.example.com, '', 240.240.0.2",
        "very.deep.example.com, '', 240.240.0.3",
        "deep.example.com, '', 240.240.0.2",
        "other.example.com.shop.svc.cluster.local, '', 240.240.0.2",
        // one pod of a headless service
        "db-0.db.shop.svc.cluster.local, '', 10.1.0.10",
        "db-0.db, '', 10.1.0.10",
        "db-0.db.shop, '', 10.1.0.10",
        "db-0.db.shop.svc, '', 10.1.0.10",
        "db-0.db.shop.svc.cluster.local.svc.cluster.local, db-0.db.shop.svc.cluster.local, 10.1.0.10",
    })
    void answers(String name, String alias, String address) {
        assertThat(ask(MESH, name, AddressFamily.IPV4))
                .isEqualTo(new NameAnswer.Addresses(alias, List.of(ip(address))));
    }

    @ParameterizedTest
    @CsvSource({
        "example.com", // a wildcard does not cover the name under its star
        "www.example.org",
        "nowhere.example.org", // its real addresses are known outside only
        "blocks.example.org", // nobody can dial a block
        "api.example.com.bank.svc.cluster.local", // no search suffix of this client
        "other", // no such service
        "web.other",
        "db-2.db.shop.svc.cluster.local", // not ready
        "db-9.db.shop.svc.cluster.local",
        "db-0.web.shop.svc.cluster.local", // not headless
        "db-0.db.bank.svc.cluster.local",
        "shop.svc.cluster.local",
        "svc.cluster.local",
        "cluster.local",
        "local",
        "''",
        "."
    })
    void leavesToOthers(String name) {
        assertThat(ask(MESH, name, AddressFamily.IPV4)).isEqualTo(NameAnswer.NOT_OURS);
        assertThat(RESOLVER.knows(MESH, CLIENT, name)).isFalse();
    }

    /// A denial of the name would make resolvers give up on the other family, too.
    @ParameterizedTest
    @CsvSource({
        "four.shop.svc.cluster.local, IPV6",
        "four.shop.svc.cluster.local.shop.svc.cluster.local, IPV6",
        "api.example.com, IPV6",
        "db-1.db.shop.svc.cluster.local, IPV6",
        "empty.shop.svc.cluster.local, IPV4",
    })
    void knowsNamesThatHaveNoAddressOfTheFamily(String name, AddressFamily family) {
        assertThat(ask(MESH, name, family)).isEqualTo(NameAnswer.NO_DATA);
        assertThat(RESOLVER.knows(MESH, CLIENT, name)).isTrue();
    }

    @Test
    void answersIpv6() {
        assertThat(ask(MESH, "web", AddressFamily.IPV6))
                .isEqualTo(new NameAnswer.Addresses("", List.of(ip("fd00::1"))));
    }

    @Test
    void answersNoIpv6WhereItIsSwitchedOff() {
        var without = new NameResolver("cluster.local", "", false);

        assertThat(without.resolve(MESH, CLIENT, "web", AddressFamily.IPV6, new Random(1)))
                .isEqualTo(NameAnswer.NO_DATA);
        assertThat(without.resolve(MESH, CLIENT, "web", AddressFamily.IPV4, new Random(1)))
                .isInstanceOf(NameAnswer.Addresses.class);
    }

    @Test
    void aHeadlessServiceIsItsReadyEndpoints() {
        assertThat(addresses(MESH, "db")).containsExactlyInAnyOrder(ip("10.1.0.10"), ip("10.1.0.11"));
    }

    @Test
    void endpointsOfOtherNetworksAreNotTold() {
        var mesh = mesh(
                service("db"),
                pod("db-0", "10.1.0.10").of(key("shop", "db")),
                pod("db-1", "10.1.0.11").of(key("shop", "db")).with(it -> it.network = "other"));

        assertThat(addresses(mesh, "db")).containsExactly(ip("10.1.0.10"));
        assertThat(RESOLVER.resolve(mesh, CLIENT, "db-1.db", AddressFamily.IPV4, new Random(1)))
                .isEqualTo(NameAnswer.NO_DATA);
    }

    @Test
    void aServiceThatPublishesUnreadyEndpointsTellsThem() {
        var mesh = mesh(
                service("db")
                        .with(it ->
                                it.balancing = new LoadBalancing(List.of(), Mode.UNSPECIFIED, HealthPolicy.ALLOW_ALL)),
                pod("db-2", "10.1.0.12").of(key("shop", "db")).with(it -> it.status = Status.UNHEALTHY));

        assertThat(addresses(mesh, "db")).containsExactly(ip("10.1.0.12"));
        assertThat(addresses(mesh, "db-2.db")).containsExactly(ip("10.1.0.12"));
    }

    @Test
    void addressesComeInRandomOrder() {
        var random = new SplittableRandom(7);
        var first = new HashSet<InetAddress>();

        for (int i = 0; i < 50; i++) {
            var answer = RESOLVER.resolve(MESH, CLIENT, "db", AddressFamily.IPV4, random);
            first.add(((NameAnswer.Addresses) answer).addresses().getFirst());
        }

        assertThat(first).hasSize(2);
    }

    @Test
    void otherNetworksAddressesAreNotTold() {
        var far = service("far").build();
        var mesh = mesh(new Service(
                far.name(),
                far.key(),
                List.of(new ServiceAddress("east", CidrBlock.parse("10.96.9.9"))),
                far.ports(),
                List.of(),
                null,
                List.of(),
                far.loadBalancing(),
                far.ipFamilies(),
                true,
                false,
                Visibility.PUBLIC));

        assertThat(ask(mesh, "far", AddressFamily.IPV4)).isEqualTo(NameAnswer.NO_DATA);
    }

    /// Own namespace, then the preferred one, then canonical, then any; what a client may not see does not
    /// exist.
    @ParameterizedTest
    @CsvSource({
        "'', shop:PUBLIC:no bank:PUBLIC:yes, 10.96.0.1",
        "'', bank:PUBLIC:no farm:PUBLIC:yes, 10.96.0.2",
        "bank, bank:PUBLIC:no farm:PUBLIC:yes, 10.96.0.1",
        "bank, bank:NAMESPACE:no farm:PUBLIC:yes, 10.96.0.2",
        "bank, shop:PUBLIC:no bank:PUBLIC:yes, 10.96.0.1",
        "'', bank:NAMESPACE:yes farm:PUBLIC:no, 10.96.0.2",
        "'', shop:NAMESPACE:no bank:PUBLIC:yes, 10.96.0.1",
        "'', bank:NAMESPACE:no farm:NAMESPACE:yes, NONE",
    })
    void ranksServicesOfTheSameName(String preferred, String declared, String expected) {
        var resources = new ArrayList<Object>();
        for (var text : declared.split(" ")) {
            var parts = text.split(":");
            resources.add(host("same.example.com", "10.96.0." + (resources.size() + 1))
                    .with(it -> it.namespace = parts[0])
                    .with(it -> it.visibility = Visibility.valueOf(parts[1]))
                    .with(it -> it.canonical = parts[2].equals("yes")));
        }

        var answer = new NameResolver("cluster.local", preferred, true)
                .resolve(mesh(resources.toArray()), CLIENT, "same.example.com", AddressFamily.IPV4, new Random(1));

        assertThat(answer)
                .isEqualTo(
                        expected.equals("NONE")
                                ? NameAnswer.NOT_OURS
                                : new NameAnswer.Addresses("", List.of(ip(expected))));
    }

    /// A host that is hidden from the client must not hide the wildcard that it may see.
    @Test
    void aHiddenNameLeavesTheWildcardAbove() {
        var mesh = mesh(
                host("api.example.com", "240.240.0.1")
                        .with(it -> it.namespace = "bank")
                        .with(it -> it.visibility = Visibility.NAMESPACE),
                host("*.example.com", "240.240.0.2"));

        assertThat(addresses(mesh, "api.example.com")).containsExactly(ip("240.240.0.2"));
    }

    @Test
    void namesComeAndGoWithTheMesh() {
        var renamed = MESH.apply(MeshDelta.builder()
                .removeService(key("shop", "web"))
                .upsert(service("shop-web", "10.96.1.1").build())
                .removeWorkload("Kubernetes//Pod/shop/db-1")
                .build());

        assertThat(ask(renamed, "web", AddressFamily.IPV4)).isEqualTo(NameAnswer.NOT_OURS);
        assertThat(addresses(renamed, "shop-web")).containsExactly(ip("10.96.1.1"));
        assertThat(addresses(renamed, "db")).containsExactly(ip("10.1.0.10"));
        assertThat(addresses(MESH, "web")).containsExactly(ip("10.96.1.1"));
    }

    private static NameAnswer ask(MeshSnapshot mesh, String name, AddressFamily family) {
        return RESOLVER.resolve(mesh, CLIENT, name, family, new Random(1));
    }

    private static List<InetAddress> addresses(MeshSnapshot mesh, String name) {
        return ((NameAnswer.Addresses) ask(mesh, name, AddressFamily.IPV4)).addresses();
    }
}
