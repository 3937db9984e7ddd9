package io.loam.it.identity;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.it.bench.MeshBench;
import io.loam.it.lab.HazardFigures;
import io.loam.it.programs.Programs;
import io.loam.lab.command.Command;
import io.loam.protocol.linux.ProcessMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/// Hazard I22: what a process of the same user may do to an agent. Each attempt is made on three processes, by one that
/// has no capabilities: on a JVM without protection, where it must succeed (or it proves nothing), on a JVM that is
/// protected as agents are and has no capabilities either, and on the agent of a lab.
final class ProcessSecrecyNetnsIT {
    private static final List<String> POWERLESS =
            List.of("setpriv", "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all");

    /// Exit 0: it worked.
    private static final Map<String, String> ATTEMPTS = Map.of(
            "read its environment", "cat /proc/$1/environ >/dev/null",
            "see its open files", "readlink /proc/$1/fd/0 >/dev/null",
            "see its memory's layout", "test -n \"$(cat /proc/$1/maps)\"",
            "read its memory", """
                    python3 -c "
                    import re
                    start = int(re.match('([0-9a-f]+)', open('/proc/$1/maps').read())[1], 16)
                    memory = open('/proc/$1/mem', 'rb', 0)
                    memory.seek(start)
                    assert len(memory.read(64)) == 64
                    "
                    """,
            "trace it", """
                    python3 -c "
                    import ctypes, os
                    libc = ctypes.CDLL(None, use_errno=True)
                    PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
                    assert libc.ptrace(PTRACE_SEIZE, $1, None, None) == 0, os.strerror(ctypes.get_errno())
                    "
                    """);

    private static final List<String> DIAGNOSTICS = List.of("VM.version", "GC.heap_dump -overwrite /dev/null");

    @Test
    void nobodyElseLooksIntoAnAgent() throws Exception {
        var opened = process(false);
        var guarded = process(true);
        try (var bench = MeshBench.start("itsecret", Map.of())) {
            long agent = bench.lab().agent("one").pid();
            int refused = 0;
            for (var attempt : ATTEMPTS.entrySet()) {
                assertThat(succeeds(attempt.getValue(), opened.pid()))
                        .as("%s, of a process without protection", attempt.getKey())
                        .isTrue();
                assertThat(succeeds(attempt.getValue(), guarded.pid()))
                        .as("%s, of a protected process", attempt.getKey())
                        .isFalse();
                assertThat(succeeds(attempt.getValue(), agent))
                        .as("%s, of an agent", attempt.getKey())
                        .isFalse();
                refused++;
            }
            for (var command : DIAGNOSTICS) {
                // With all rights of root: the JVM itself refuses.
                assertThat(Command.result(jcmd(agent, command), "", Duration.ofSeconds(30))
                                .exitCode())
                        .as(command)
                        .isNotZero();
                refused++;
            }
            assertThat(Files.readString(Path.of("/proc/" + agent + "/limits")))
                    .containsPattern("Max core file size +0 +0 ");
            var flags = Files.readString(Path.of("/proc/" + agent + "/cmdline")).split("\0");
            assertThat(flags).contains("-XX:-HeapDumpOnOutOfMemoryError", "-XX:+DisableAttachMechanism");
            HazardFigures.reached(
                    "I22",
                    "%d of %d ways into an agent refused, %d of them open on a process without protection; core size 0"
                            .formatted(refused, ATTEMPTS.size() + DIAGNOSTICS.size(), ATTEMPTS.size()));
        } finally {
            opened.destroyForcibly().waitFor();
            guarded.destroyForcibly().waitFor();
        }
    }

    private static List<String> jcmd(long process, String command) {
        var argv = new ArrayList<String>();
        argv.add(Path.of(System.getProperty("java.home"), "bin", "jcmd").toString());
        argv.add(String.valueOf(process));
        argv.addAll(List.of(command.split(" ")));
        return argv;
    }

    private static boolean succeeds(String script, long process) throws IOException {
        var argv = new ArrayList<>(POWERLESS);
        argv.addAll(List.of("sh", "-c", "set -e; " + script, "sh", String.valueOf(process)));
        return Command.result(argv, "", Duration.ofSeconds(20)).exitCode() == 0;
    }

    /// @return once it has said that it is there
    private static Process process(boolean isProtected) throws IOException {
        var argv = new ArrayList<>(POWERLESS);
        argv.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                Programs.classPathOfTests(),
                Target.class.getName(),
                String.valueOf(isProtected)));
        var started = new ProcessBuilder(argv)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        assertThat(started.inputReader().readLine()).isEqualTo("open to others: " + !isProtected);
        return started;
    }

    /// Holds a secret until it is ended.
    static final class Target {
        private Target() {}

        static void main(String[] args) throws IOException {
            if (Boolean.parseBoolean(args[0])) {
                ProcessMemory.keepToOurselves();
            }
            System.out.println("open to others: " + ProcessMemory.isOpenToOthers());
            int _ = System.in.read();
        }
    }
}
