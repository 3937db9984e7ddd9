package io.loam.cli.lab;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;

final class StartProgressTest {
    private static final String WEB = "pod shop/web: is not ready: container web is not ready";
    private static final String API = "pod shop/api: is not ready: container api is not ready";
    private static final String AGENT = "node alder: its agent has not connected to the node yet";
    private static final String BALANCE = "node alder: services are not balanced yet";

    private final StringWriter shown = new StringWriter();
    private final AtomicLong nanos = new AtomicLong();

    @Test
    void countsEachPodAndNodeOnceAndNamesTheFirst() {
        assertThat(StartProgress.line(List.of(WEB, API, AGENT, BALANCE)))
                .isEqualTo("  waiting for 2 pods, 1 node: " + WEB);
        assertThat(StartProgress.line(List.of(AGENT, BALANCE))).isEqualTo("  waiting for 1 node: " + AGENT);
        assertThat(StartProgress.line(List.of())).isEmpty();
    }

    @Test
    void elsewhereThanOnATerminalALineEveryFiveSeconds() {
        var progress = progress(false);

        progress.update(List.of(WEB, API));
        nanos.addAndGet(Duration.ofSeconds(4).toNanos());
        progress.update(List.of(API));
        nanos.addAndGet(Duration.ofSeconds(1).toNanos());
        progress.update(List.of(AGENT));
        progress.close();

        assertThat(shown.toString())
                .isEqualTo("  waiting for 2 pods: " + WEB + "\n  waiting for 1 node: " + AGENT + "\n");
    }

    @Test
    void onATerminalOneLineThatIsWrittenOverAndErasedAtTheEnd() {
        var progress = progress(true);

        progress.update(List.of(WEB, API));
        progress.update(List.of(WEB, API));
        progress.update(List.of(AGENT));
        progress.close();

        assertThat(shown.toString())
                .isEqualTo("\r\u001b[K" + "  waiting for 2 pods: pod shop/web: is not ready: container web is not ready"
                        + "\r\u001b[K" + "  waiting for 1 node: node alder: its agent has not connected to the node yet"
                        + "\r\u001b[K");
    }

    @Test
    void aLineOfATerminalNeverWraps() {
        progress(true).update(List.of("pod shop/" + "x".repeat(100) + ": is not ready"));

        assertThat(shown.toString()).hasSize("\r\u001b[K".length() + 79).endsWith("..");
    }

    private StartProgress progress(boolean terminal) {
        return new StartProgress(new PrintWriter(shown), terminal, nanos::get);
    }
}
