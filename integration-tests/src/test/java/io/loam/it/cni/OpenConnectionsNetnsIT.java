package io.loam.it.cni;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.cni.rules.PodRedirection;
import io.loam.cni.rules.PodRules;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// Hazard C10: joining and leaving break no connection, in either direction. Plain servers stand in for the proxy.
class OpenConnectionsNetnsIT {
    private static final PodRules RULES = new PodRules(false, false, List.of(), true);

    @ParameterizedTest
    @CsvSource({PodBench.POD_V4 + "," + PodBench.NEIGHBOUR_V4, PodBench.POD_V6 + "," + PodBench.NEIGHBOUR_V6})
    void liveThroughJoiningAndLeaving(String pod, String neighbour) throws Exception {
        try (var bench = new PodBench();
                var remote = bench.inNeighbour(() -> new EchoServer("remote", 7000));
                var app = bench.inPod(() -> new EchoServer("app", 8080));
                var outbound = bench.inPod(() -> new EchoServer("outbound-proxy", 15001));
                var inbound = bench.inPod(() -> new EchoServer("inbound-proxy", 15006));
                var oldOut = bench.inPod(() -> new LineClient(neighbour, 7000));
                var oldIn = bench.inNeighbour(() -> new LineClient(pod, 8080))) {
            assertThat(List.of(remote, app, outbound, inbound)).hasSize(4);
            assertThat(oldOut.ask("before")).isEqualTo("remote before");
            assertThat(oldIn.ask("before")).isEqualTo("app before");
            var untouched = bench.podState();

            var redirection = new PodRedirection(bench.insidePod());
            redirection.apply(RULES);

            assertThat(oldOut.ask("joined")).isEqualTo("remote joined");
            assertThat(oldIn.ask("joined")).isEqualTo("app joined");
            try (var newOut = bench.inPod(() -> new LineClient(neighbour, 7000));
                    var newIn = bench.inNeighbour(() -> new LineClient(pod, 8080))) {
                assertThat(newOut.ask("joined")).isEqualTo("outbound-proxy joined");
                assertThat(newIn.ask("joined")).isEqualTo("inbound-proxy joined");

                redirection.apply(RULES); // again, as after a restart
                assertThat(newOut.ask("repeated")).isEqualTo("outbound-proxy repeated");
                assertThat(newIn.ask("repeated")).isEqualTo("inbound-proxy repeated");

                redirection.leave(RULES);
                assertThat(newOut.ask("leaving")).isEqualTo("outbound-proxy leaving");
                assertThat(newIn.ask("leaving")).isEqualTo("inbound-proxy leaving");
                assertThat(oldOut.ask("leaving")).isEqualTo("remote leaving");
                assertThat(oldIn.ask("leaving")).isEqualTo("app leaving");
                try (var laterOut = bench.inPod(() -> new LineClient(neighbour, 7000));
                        var laterIn = bench.inNeighbour(() -> new LineClient(pod, 8080))) {
                    assertThat(laterOut.ask("direct")).isEqualTo("remote direct");
                    assertThat(laterIn.ask("direct")).isEqualTo("app direct");
                }
            }
            redirection.remove(true);

            assertThat(oldOut.ask("left")).isEqualTo("remote left");
            assertThat(oldIn.ask("left")).isEqualTo("app left");
            assertThat(bench.podState()).isEqualTo(untouched);
        }
    }
}
