/// Which pods belong to the mesh. Start at {@link io.loam.model.enrolment.Enrolment}.
@NullMarked
package io.loam.model.enrolment;

import org.jspecify.annotations.NullMarked;
