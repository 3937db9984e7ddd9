/// Named destinations with ports and a way to spread connections. Start at {@link
/// io.loam.model.service.Service}.
@NullMarked
package io.loam.model.service;

import org.jspecify.annotations.NullMarked;
