package io.loam.lab.bench.topology;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

final class AgentPairTest {
    private static final String TABLE = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 0100007F:3AAD 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21 1 0
           1: 0205F40A:3A99 0305F40A:C350 01 00000000:00000000 00:00000000 00000000     0        0 22 1 0
        """;

    @Test
    void findsAListenerByItsPort() {
        assertThat(AgentPair.listeners(TABLE, 15021)).containsExactly("socket:[21]");
    }

    @Test
    void takesNoConnectionForAListener() {
        assertThat(AgentPair.listeners(TABLE, 15001)).isEmpty();
    }
}
