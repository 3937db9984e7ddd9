package io.loam.cli;

import io.loam.cli.explain.ErrorText;
import io.loam.model.failure.ErrorCode;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "explain",
        mixinStandardHelpOptions = true,
        description = "What a code of the access log means, and what to do about it. Without a code: all of them.")
final class ExplainCommand implements Callable<Integer> {
    @Parameters(index = "0", arity = "0..1", paramLabel = "CODE", description = "For example POLICY_DENIED.")
    private Optional<String> code = Optional.empty();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    @Override
    public Integer call() {
        var out = spec.commandLine().getOut();
        out.print(code.map(this::text).orElseGet(ExplainCommand::list));
        out.flush();
        return 0;
    }

    private String text(String name) {
        var wanted = name.toUpperCase(Locale.ROOT).replace('-', '_');
        return Arrays.stream(ErrorCode.values())
                .filter(known -> known.name().equals(wanted))
                .findFirst()
                .map(known -> ErrorText.of(known).render(known))
                .orElseThrow(() ->
                        new ParameterException(spec.commandLine(), "no code '" + name + "'; 'loam explain' lists all"));
    }

    private static String list() {
        return Arrays.stream(ErrorCode.values())
                .map(known -> "%-20s %s%n".formatted(known, ErrorText.of(known).happened()))
                .collect(Collectors.joining());
    }
}
