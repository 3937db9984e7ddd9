package io.loam.runtime.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;

class LimitsConfigTest {
    @Test
    void onePodMayHoldTenThousandConnectionsOfTwentyThousandDescriptors() {
        assertThat(LimitsConfig.within(20_000, 300).workloadSockets()).isGreaterThanOrEqualTo(10_000);
    }

    /// Hazard P10.
    @Test
    void leavesSixtyFourDescriptorsAndRoomForOtherPods() {
        var limits = LimitsConfig.within(1024, 160);
        assertThat(limits.sockets()).isEqualTo(1024 - 160 - 64);
        assertThat(limits.workloadSockets()).isEqualTo(600);
    }

    @Test
    void aLimitThatIsNoLimitIsTheLargestNumber() {
        assertThat(LimitsConfig.within(Long.MAX_VALUE, 0).sockets()).isEqualTo(Integer.MAX_VALUE);
    }

    @Test
    void saysWhatIsNeededWhereNothingIsLeft() {
        assertThatThrownBy(() -> LimitsConfig.within(200, 160))
                .isInstanceOf(ConfigException.class)
                .hasMessageContaining("limit of open files: 200 (expected: more than 225");
    }
}
