package io.loam.agent.selftest;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

class RefusalLinesTest {
    private final RefusalLines lines = new RefusalLines();

    /// The self-test ends with the first failure and closes what is still waiting: that is no reason but a consequence.
    @Test
    void keepsTheFirstReasonWhateverComesBehindIt() throws IOException {
        assertThat(lines.first()).isEmpty();

        write("info connection complete src.addr=127.0.0.1:1\n");
        assertThat(lines.first()).isEmpty();

        write(
                "info connection complete\nerror connection failed error=\"401\" code=DENIED\nerror x error=\"closed\"\n");
        write("error connection failed error=\"tunnel pool is closed\"\n");

        assertThat(lines.first()).isEqualTo("\"401\" code=DENIED");
    }

    private void write(String batch) throws IOException {
        lines.write(batch.getBytes(StandardCharsets.UTF_8));
    }
}
