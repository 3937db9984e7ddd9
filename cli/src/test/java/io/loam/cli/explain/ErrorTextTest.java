package io.loam.cli.explain;

import static org.assertj.core.api.Assertions.assertThat;

import io.loam.model.failure.ErrorCode;
import java.util.Arrays;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

final class ErrorTextTest {
    private static final Pattern CODE = Pattern.compile("\\b[A-Z]+_[A-Z_]+\\b");

    @ParameterizedTest
    @EnumSource
    void everyCodeSaysWhatWhoWhyWhereAndWhatToDo(ErrorCode code) {
        var text = ErrorText.of(code);

        assertThat(text.happened()).endsWith(".").hasSizeGreaterThan(20);
        assertThat(text.refusedBy()).isNotBlank();
        assertThat(text.causes()).isNotEmpty().doesNotHaveDuplicates();
        assertThat(text.lookAt()).isNotEmpty().doesNotHaveDuplicates();
        assertThat(text.change()).isNotEmpty().doesNotHaveDuplicates();
        assertThat(text.render(code)).startsWith(code.name() + "\n").doesNotContain("null");
    }

    @Test
    void noTwoCodesHappenAlike() {
        assertThat(Stream.of(ErrorCode.values()).map(code -> ErrorText.of(code).happened()))
                .doesNotHaveDuplicates();
    }

    /// A text that sends its reader to another code sends nobody nowhere.
    @ParameterizedTest
    @EnumSource
    void codesThatAreMentionedExist(ErrorCode code) {
        var known = Arrays.stream(ErrorCode.values()).map(Enum::name).toList();
        var settings = Stream.of(
                "REGISTRY_ONLY",
                "ALLOW_ANY",
                "CRL_PATH",
                "TERMINATION_GRACE_PERIOD_SECONDS",
                "LOAM_DNS_RESOLVERS",
                "XDS_ON_DEMAND");
        assertThat(CODE.matcher(ErrorText.of(code).render(code)).results().map(found -> found.group()))
                .isSubsetOf(Stream.concat(known.stream(), settings).toList());
    }
}
