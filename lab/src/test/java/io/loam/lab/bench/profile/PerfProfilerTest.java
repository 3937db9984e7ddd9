package io.loam.lab.bench.profile;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Objects;
import org.junit.jupiter.api.Test;

final class PerfProfilerTest {
    @Test
    void readsStacksOutermostFirst() {
        var stacks = new StackTree();

        PerfProfiler.parse("""
                \tffffffff81a2 tcp_sendmsg ([kernel.kallsyms])
                \t    7f3a9c10 __send+0x1c (/usr/lib/libc.so.6)
                \t    55d01234 [unknown] (/usr/sbin/haproxy)

                \t    55d04321 conn_io (/usr/sbin/haproxy)
                \t    55d01234 [unknown] (/usr/sbin/haproxy)

                """, stacks, "proxy of the client");

        assertThat(stacks.samples()).isEqualTo(2);
        var main = callee(callee(stacks.root(), "proxy of the client"), "in haproxy");
        assertThat(main.samples()).isEqualTo(2);
        assertThat(main.callees()).containsOnlyKeys("__send+0x1c", "conn_io");
        assertThat(callee(main, "__send+0x1c").callees()).containsOnlyKeys("tcp_sendmsg [kernel]");
    }

    @Test
    void takesNoSamplesFromRemarks() {
        var stacks = new StackTree();

        PerfProfiler.parse("no-samples\n\n\n", stacks, "proxy");

        assertThat(stacks.samples()).isZero();
    }

    private static StackTree.Node callee(StackTree.Node node, String name) {
        return Objects.requireNonNull(node.callees().get(name), name);
    }
}
