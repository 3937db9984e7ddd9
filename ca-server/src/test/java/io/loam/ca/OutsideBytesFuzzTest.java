package io.loam.ca;

import static org.assertj.core.api.Assertions.assertThat;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import org.bouncycastle.crypto.params.ECPublicKeyParameters;
import org.bouncycastle.crypto.util.PublicKeyFactory;

/// What an agent sends to be certified, as any bytes (hazard I3): a key on one of our curves, or a refusal. Each build
/// runs what lies in the resources beside this class; CONTRIBUTING says how to look for more.
class OutsideBytesFuzzTest {
    @FuzzTest(maxDuration = "10m")
    void requestedKey(byte[] input) throws IOException {
        RequestedKey requested;
        try {
            requested = RequestedKey.of(new String(input, StandardCharsets.UTF_8));
        } catch (RequestRefusedException refused) {
            assertThat(refused.getMessage()).startsWith("csr: ");
            return;
        }
        var key = (ECPublicKeyParameters) PublicKeyFactory.createKey(requested.info());
        assertThat(key.getParameters().getCurve().getFieldSize()).isIn(256, 384, 521);
        assertThat(key.getQ().isValid()).isTrue();
    }
}
