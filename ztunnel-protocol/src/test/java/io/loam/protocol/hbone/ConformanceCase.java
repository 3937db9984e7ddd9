package io.loam.protocol.hbone;

import io.loam.protocol.hbone.TunnelUnderTest.Application;

/// One thing a client may send, and what has to come of it.
///
/// @param clause RFC and section, and what is sent there
/// @param expected what has to happen, in words
/// @param application what stands behind the tunnel
/// @param script sends it and looks at what comes of it
record ConformanceCase(String clause, String expected, Application application, Script script) {
    interface Script {
        void run(TunnelUnderTest tunnel);
    }

    static ConformanceCase sent(String clause, String expected, Script script) {
        return new ConformanceCase(clause, expected, Application.SILENT, script);
    }

    ConformanceCase behind(Application other) {
        return new ConformanceCase(clause, expected, other, script);
    }

    void run() {
        try (var tunnel = TunnelUnderTest.with(application)) {
            script.run(tunnel);
        }
    }

    @Override
    public String toString() {
        return clause + " → " + expected;
    }
}
