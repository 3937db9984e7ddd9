/// Who may connect to whom, at L4. Start at {@link io.loam.model.policy.AuthorizationPolicy}; the evaluation is
/// {@link io.loam.model.policy.Authorizer}.
@NullMarked
package io.loam.model.policy;

import org.jspecify.annotations.NullMarked;
