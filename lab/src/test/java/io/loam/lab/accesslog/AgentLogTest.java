package io.loam.lab.accesslog;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

final class AgentLogTest {
    private static final String LINE = "2026-01-01T00:00:00Z\tinfo\taccess\tconnection complete\tsrc.addr=10.0.0.1:4 ";

    @Test
    void readsTheFieldsOfALine() {
        assertThat(AgentLog.fields(
                        LINE + "src.identity=\"spiffe://cluster.local/ns/a/sa/b\" error=\"denied by \\\"x\\\"\""))
                .containsEntry("src.addr", "10.0.0.1:4")
                .containsEntry("src.identity", "spiffe://cluster.local/ns/a/sa/b")
                .containsEntry("error", "denied by \\\"x\\\"");
    }

    /// Where an earlier connection had the same port, it is not the one that is looked for.
    @Test
    void knowsNothingOfConnectionsThatEndedBefore(@TempDir Path directory) throws IOException {
        var file = Files.writeString(directory.resolve("agent.log"), LINE + "bytes_sent=1\n");
        var log = AgentLog.fromNow(file);
        assertThat(log.find(fields -> "10.0.0.1:4".equals(fields.get("src.addr"))))
                .isEmpty();

        Files.writeString(file, "started\n" + LINE + "bytes_sent=2\n", StandardOpenOption.APPEND);

        assertThat(log.find(fields -> "10.0.0.1:4".equals(fields.get("src.addr"))))
                .hasValueSatisfying(fields -> assertThat(fields).containsEntry("bytes_sent", "2"));
        assertThat(log.entries()).hasSize(1);
        assertThat(log.text()).startsWith("started\n");
    }
}
