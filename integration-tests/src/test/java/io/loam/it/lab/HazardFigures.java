package io.loam.it.lab;

/// Says which figure a test reached for a hazard, for the table of `docs/hazards.md`.
///
/// A line of a test's output that reads `hazard T8: FIGURE` is such a figure, in any module; this is how tests of
/// other modules take part. Maven's test reports keep what each test method printed, and whether it passed, so nothing
/// else has to be collected, and `HazardTable` reads them when all tests are done.
public final class HazardFigures {
    private HazardFigures() {}

    /// From any thread of a test.
    ///
    /// @param hazardId as in the first column of `docs/hazards.md`: `T8`; several with `, ` between them
    /// @param figure   what was measured, one line with units: `RSS 180 MiB, 500 streams, 0 others refused`
    /// @throws IllegalArgumentException if the table would not find it
    public static void reached(String hazardId, String figure) {
        if (!hazardId.matches("[TICPL][1-9][0-9]?(, [TICPL][1-9][0-9]?)*")
                || figure.isBlank()
                || figure.contains("\n")) {
            throw new IllegalArgumentException(
                    hazardId + ": " + figure + " (expected: IDs such as T8 and one line of text)");
        }
        // In one piece, so that another thread's output does not come between.
        System.out.print("hazard " + hazardId + ": " + figure + "\n");
    }
}
