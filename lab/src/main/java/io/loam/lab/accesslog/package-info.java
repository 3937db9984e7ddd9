/// Reads the access logs of a lab's agents. Start at [AgentLog].
@NullMarked
package io.loam.lab.accesslog;

import org.jspecify.annotations.NullMarked;
