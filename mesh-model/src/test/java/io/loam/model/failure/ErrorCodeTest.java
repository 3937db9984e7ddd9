package io.loam.model.failure;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.decision.RefusalReason;
import java.util.Arrays;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

final class ErrorCodeTest {
    /// What users have in their searches and alerts. New names are added here; one that is here stays for good.
    private static final String PUBLISHED = """
            UNKNOWN_SOURCE NO_CERTIFICATE OVERLOADED LOOP UNKNOWN_WORKLOAD NO_HEALTHY_UPSTREAM
            UNKNOWN_DESTINATION WAYPOINT_UNRESOLVED
            OTHER_NETWORK NO_ADDRESS NO_TARGET_PORT NO_IDENTITY NOT_IN_REGISTRY UNSUPPORTED BAD_AUTHORITY
            WRONG_DESTINATION UNKNOWN_HOSTNAME UNRESOLVED POLICY_DENIED POLICY_UNKNOWN POLICY_CHANGED PEER_DENIED
            DIAL_FAILED TLS_REFUSED CERT_REVOKED TUNNEL_SETUP TUNNEL_TIMEOUT PEER_REFUSED GAVE_UP RESET DRAINED POD_ENDED BUG
            """;

    @Test
    void namesThatWerePublishedStay() {
        assertThat(Stream.of(ErrorCode.values()).map(Enum::name))
                .containsExactlyInAnyOrder(PUBLISHED.strip().split("\\s+"));
    }

    @Test
    void everyReasonOfADecisionIsTheCodeOfItsName() {
        assertThat(Arrays.stream(RefusalReason.values())
                        .collect(Collectors.toMap(
                                Enum::name, reason -> ErrorCode.of(reason).name())))
                .allSatisfy((reason, code) -> assertThat(code).isEqualTo(reason));
    }
}
