package io.loam.lab.bench.profile;

import java.io.IOException;

/// Samples the stacks of one process while it uses CPU.
public interface Profiler {
    /// @throws IOException if it cannot, with the reason
    Recording start(long pid) throws IOException;

    /// A running one; ends once.
    interface Recording {
        /// Ends it.
        ///
        /// @param into takes the stacks
        /// @param root first frame of all of them
        void stop(StackTree into, String root) throws IOException;
    }
}
