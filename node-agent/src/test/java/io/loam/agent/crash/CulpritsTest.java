package io.loam.agent.crash;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hazard P5: whom agents died of. The files of dead ones are written by the test.
class CulpritsTest {
    private static final String WORKER = "loam-worker-1-2";

    @TempDir
    private Path folder = Path.of("");

    private Instant now = Instant.parse("2026-01-01T00:00:00Z");

    @Test
    void aPodThatThreeAgentsDiedOfIsIsolated() throws IOException {
        assertThat(afterCrashOf(11, "u1")).isEmpty();
        assertThat(afterCrashOf(12, "u2")).isEmpty();
        assertThat(afterCrashOf(13, "u1")).isEmpty();
        assertThat(afterCrashOf(14, "u1")).containsExactly("u1");
        assertThat(isolated()).as("and stays it").containsExactly("u1");
    }

    @Test
    void whatIsLongAgoIsForgotten() throws IOException {
        afterCrashOf(11, "u1");
        afterCrashOf(12, "u1");
        now = now.plus(Culprits.MEMORY);

        assertThat(afterCrashOf(13, "u1")).isEmpty();
    }

    /// However busy a pod keeps its agent: SIGKILL is not its doing.
    @Test
    void anAgentThatWasKilledFromOutsideBlamesNobody() throws IOException {
        for (int pid = 11; pid < 20; pid++) {
            marks(pid, "u1", "");
            assertThat(isolated()).isEmpty();
        }
    }

    @Test
    void aLoopThatTheWatchdogGaveUpIsBlamedOnWhoItServed() throws IOException {
        for (int pid = 11; pid < 14; pid++) {
            marks(pid, "u1", WORKER);
            isolated();
        }
        assertThat(isolated()).containsExactly("u1");
    }

    @Test
    void aCrashOfAnotherThreadBlamesNobody() throws IOException {
        for (int pid = 11; pid < 15; pid++) {
            marks(pid, "u1", "");
            errorFile(pid, "loam-xds");
            assertThat(isolated()).isEmpty();
        }
    }

    /// In a container every agent is process 1.
    @Test
    void anErrorFileCountsOnce() throws IOException {
        afterCrashOf(1, "u1");
        for (int i = 0; i < 3; i++) {
            marks(1, "u1", "");
            assertThat(isolated()).isEmpty();
        }
        assertThat(names()).containsExactly("crash-" + now.toEpochMilli() + "-1.log", "crashes");
    }

    @Test
    void filesThatAreNoneOfOursAreReadPast() throws IOException {
        Files.writeString(folder.resolve("crashes"), "yesterday u1\n\n99999999999999999999 u1\nu1\n");
        Files.write(folder.resolve("11.marks"), new byte[] {1, 2, 3});
        errorFile(11, WORKER);

        assertThat(isolated()).isEmpty();
    }

    @Test
    void thePodIsNotedWhileAnEventIsHandledAndTheFileGoesWithAnOrderlyEnd() throws IOException {
        var channel = new EmbeddedChannel();
        var marks = CrashMarks.open(folder, List.of(channel.eventLoop()));
        channel.runPendingTasks();
        var file = folder.resolve(ProcessHandle.current().pid() + CrashMarks.SUFFIX);
        assertThat(isolated()).isEmpty();
        assertThat(file).as("of a process that lives").exists();
        var seen = new ArrayList<String>();
        channel.pipeline().addLast(new ChannelInboundHandlerAdapter() {
            @Override
            public void channelRead(ChannelHandlerContext ctx, Object message) throws IOException {
                seen.add(noted(file));
            }
        });
        var _ = marks.of("u1");
        marks.of("u2").watch(channel.pipeline(), channel.eventLoop());

        channel.writeInbound("x");

        assertThat(seen).containsExactly("u2");
        assertThat(noted(file)).isEmpty();
        assertThat(channel.finish()).isFalse();
        marks.close();
        assertThat(file).doesNotExist();
    }

    private static String noted(Path file) throws IOException {
        var content = ByteBuffer.wrap(Files.readAllBytes(file));
        long number = content.getLong(MarkLayout.mark(0));
        return number == 0 ? "" : MarkLayout.read(content, MarkLayout.uid((int) number));
    }

    private Set<String> afterCrashOf(int pid, String uid) throws IOException {
        marks(pid, uid, "");
        errorFile(pid, WORKER);
        return isolated();
    }

    private Set<String> isolated() throws IOException {
        return Culprits.isolated(folder, Clock.fixed(now, ZoneOffset.UTC));
    }

    /// @param lost as the watchdog writes it, or empty
    private void marks(int pid, String uid, String lost) throws IOException {
        var content = ByteBuffer.allocate(MarkLayout.BYTES);
        MarkLayout.write(content, MarkLayout.LOST_THREAD, lost);
        MarkLayout.write(content, MarkLayout.threadName(0), "loam-worker-1-1");
        MarkLayout.write(content, MarkLayout.threadName(1), WORKER);
        content.putLong(MarkLayout.mark(0), 8);
        content.putLong(MarkLayout.mark(1), 7);
        MarkLayout.write(content, MarkLayout.uid(7), uid);
        MarkLayout.write(content, MarkLayout.uid(8), "innocent");
        Files.write(folder.resolve(pid + CrashMarks.SUFFIX), content.array());
    }

    private void errorFile(int pid, String thread) throws IOException {
        Files.writeString(folder.resolve("hs_err_" + pid + ".log"), """
                #
                # A fatal error has been detected by the Java Runtime Environment:
                #
                ---------------  T H R E A D  ---------------

                Current thread (0x00007f2a64123450):  JavaThread "%s" daemon [_thread_in_native, id=4711]
                """.formatted(thread));
    }

    private List<String> names() throws IOException {
        try (var files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }
}
