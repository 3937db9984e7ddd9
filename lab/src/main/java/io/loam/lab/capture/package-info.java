/// Looking at a link: what an eavesdropper between two nodes sees. Start at [LinkCapture]; [Capture] is what it
/// saw.
@NullMarked
package io.loam.lab.capture;

import org.jspecify.annotations.NullMarked;
