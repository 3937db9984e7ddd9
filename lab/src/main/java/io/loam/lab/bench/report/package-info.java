/// What was measured, as values, and as a table, JSON and a page. Start at [io.loam.lab.bench.report.Results].
@NullMarked
package io.loam.lab.bench.report;

import org.jspecify.annotations.NullMarked;
