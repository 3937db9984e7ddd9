/// Local mode: nodes and pods of Kubernetes YAML as network namespaces and processes of this machine. Start at
/// [io.loam.lab.Lab]; the program is [io.loam.lab.Main].
@NullMarked
package io.loam.lab;

import org.jspecify.annotations.NullMarked;
