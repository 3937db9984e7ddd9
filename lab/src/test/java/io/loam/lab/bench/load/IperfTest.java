package io.loam.lab.bench.load;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import org.junit.jupiter.api.Test;

final class IperfTest {
    @Test
    void readsWhatArrived() throws IOException {
        var bulk = Iperf.parse("""
                {"end": {"sum_sent": {"bytes": 3000000000, "bits_per_second": 12e9},
                         "sum_received": {"bytes": 2500000000, "bits_per_second": 10e9}}}
                """);

        assertThat(bulk).isEqualTo(new Iperf.Bulk(2_500_000_000L, 10));
    }

    @Test
    void failsWithTheProgramsOwnWords() {
        assertThatThrownBy(() -> Iperf.parse("{\"start\": {}, \"error\": \"unable to connect to server\"}"))
                .isInstanceOf(IOException.class)
                .hasMessage("iperf3: unable to connect to server");
    }

    @Test
    void takesSilenceForAFailure() {
        assertThatThrownBy(() -> Iperf.parse("{\"end\": {}}")).hasMessage("iperf3: nothing arrived");
        assertThatThrownBy(() -> Iperf.parse("sh: iperf3: not found"))
                .isInstanceOf(IOException.class)
                .hasMessage("iperf3: sh: iperf3: not found");
    }
}
