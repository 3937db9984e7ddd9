package io.loam.lab.demo;

/// What one step of the demo came to.
///
/// @param claim what was announced
/// @param measured what was seen instead of believed, with figures
/// @param holds whether the two agree
record Finding(String claim, String measured, boolean holds) {
    String verdict() {
        return holds ? "yes" : "NO";
    }
}
