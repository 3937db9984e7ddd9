package io.loam.jmh;

import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;

/// One line of the results file: one benchmark with one set of parameters in one run.
///
/// @param benchmark class and method, for example `PolicyBenchmark.refused`
/// @param commit abbreviated; ends in `-dirty` when files differed from it
/// @param score in `unit`, per operation
/// @param error half of the 99.9 % confidence interval, in `unit`; 0 where there were too few iterations for one
/// @param bytesPerOperation allocated on the heap, by all threads
record Measurement(
        String benchmark,
        Map<String, String> parameters,
        Instant date,
        String commit,
        HostFacts host,
        boolean quick,
        double score,
        double error,
        String unit,
        double bytesPerOperation) {
    private static final String ALLOCATION = "gc.alloc.rate.norm";

    static Measurement of(RunResult result, Instant date, String commit, HostFacts host, boolean quick) {
        var params = result.getParams();
        var name = params.getBenchmark();
        var parameters = new TreeMap<String, String>();
        params.getParamsKeys().forEach(key -> parameters.put(key, params.getParam(key)));
        var primary = result.getPrimaryResult();
        double error = primary.getScoreError();
        return new Measurement(
                name.substring(name.lastIndexOf('.', name.lastIndexOf('.') - 1) + 1),
                parameters,
                date,
                commit,
                host,
                quick,
                primary.getScore(),
                Double.isNaN(error) ? 0 : error,
                primary.getScoreUnit(),
                bytes(result));
    }

    private static double bytes(RunResult result) {
        for (Result<?> secondary : result.getSecondaryResults().values()) {
            if (secondary.getLabel().endsWith(ALLOCATION)) {
                return secondary.getScore();
            }
        }
        throw new IllegalStateException("no " + ALLOCATION + " (expected: run with -prof gc)");
    }

    /// What lines of several runs have in common.
    String series() {
        return parameters.isEmpty() ? benchmark : benchmark + " " + parameters;
    }
}
