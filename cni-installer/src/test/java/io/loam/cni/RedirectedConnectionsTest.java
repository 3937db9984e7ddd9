package io.loam.cni;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RedirectedConnectionsTest {
    @ParameterizedTest
    @CsvSource({
        "'   0: 0200D50A:3A99 0100D50A:1B58 01 00000000:00000000', true", // outbound, established
        "'   1: 0000000000000000FFFF00000200D50A:3A9E 0000000000000000FFFF00000100D50A:AB7A 08 0:0', true", // CLOSE_WAIT
        "'  12: 0200D50A:3AA0 0100D50A:1B58 05 0:0', true", // FIN_WAIT2
        "'   0: 0100007F:3ACD 0200D50A:AB7A 01 0:0', true", // DNS over TCP
        "'   0: 00000000:3A99 00000000:0000 0A 0:0', false", // listening
        "'   1: 0200D50A:3A99 0100D50A:1B58 06 0:0', false", // TIME_WAIT
        "'   1: 0200D50A:AB7A 0100D50A:3A99 01 0:0', false", // the other side's port
        "'   1: 0200D50A:1F90 0100D50A:1B58 01 0:0', false", // the application's own
        "'  sl  local_address rem_address   st tx_queue rx_queue', false",
        "'', false"
    })
    void countsOnlyLiveConnectionsOfTheProxy(String line, boolean expected) {
        assertThat(RedirectedConnections.isOurs(line)).isEqualTo(expected);
    }
}
