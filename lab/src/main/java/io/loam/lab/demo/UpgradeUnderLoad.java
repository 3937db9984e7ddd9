package io.loam.lab.demo;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.lab.LabException;
import io.loam.lab.load.OpenLoopLoad;
import io.loam.lab.load.OpenLoopLoad.Sample;
import io.loam.lab.network.LabName;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeoutException;

/// A step of the demo: the agents of both nodes are replaced while the customer opens connection after connection.
final class UpgradeUnderLoad {
    private static final List<String> NODES = List.of("alder", "birch");
    private static final int HTTP_PORT = 80;

    /// What two cores do beside a JVM that starts.
    private static final int PER_SECOND = 100;

    private final ShopLab shop;

    UpgradeUnderLoad(ShopLab shop) {
        this.shop = shop;
    }

    Finding take(String claim) throws IOException, LabException, InterruptedException {
        var upgrades = new ArrayList<String>();
        List<Sample> samples;
        try (var load = OpenLoopLoad.start(
                List.of(customer()),
                web(),
                PER_SECOND,
                "GET / HTTP/1.1\r\nHost: web.shop\r\nConnection: close\r\n\r\n",
                "HTTP/1.1 200 OK\r\n")) {
            load.awaitAnswerTo(System.nanoTime());
            for (var node : NODES) {
                var done = shop.api().upgradeAgent(node);
                upgrades.add("%s's agent %d by %d in %d ms"
                        .formatted(
                                node,
                                done.path("former").asLong(),
                                done.path("agent").asLong(),
                                done.path("millis").asLong()));
                load.awaitAnswerTo(System.nanoTime());
            }
            samples = load.stop();
        } catch (TimeoutException e) {
            throw new IOException(String.valueOf(e.getMessage()), e);
        }
        var failures = samples.stream()
                .map(Sample::failure)
                .flatMap(failure -> Optional.ofNullable(failure).stream())
                .toList();
        var longest = samples.stream()
                .map(Sample::delay)
                .max(Comparator.naturalOrder())
                .orElseThrow();
        return new Finding(
                claim,
                "%s; %d new connections to web meanwhile, %s, longest %d ms"
                        .formatted(
                                String.join(", ", upgrades),
                                samples.size(),
                                failures.isEmpty()
                                        ? "0 refused"
                                        : failures.size() + " FAILED, the first by " + failures.getFirst(),
                                longest.toMillis()),
                failures.isEmpty());
    }

    private Path customer() {
        return LabName.netnsPath(shop.name().podNetns("shop", "customer"));
    }

    private InetSocketAddress web() throws IOException, LabException {
        for (JsonNode service : shop.api().list("services")) {
            if (service.path("name").asText().equals("web")) {
                return new InetSocketAddress(
                        InetAddress.getByName(service.path("addresses").path(0).asText()), HTTP_PORT);
            }
        }
        throw new IOException("there is no service 'web'");
    }
}
