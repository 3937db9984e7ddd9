package io.loam.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.util.Locale;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Spec;

@Command(
        name = "problems",
        mixinStandardHelpOptions = true,
        description = "What is wrong with the files of a lab, with file and line. Exit code 1 if there is any error.")
final class ProblemsCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    ProblemsCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var problems = lab.in(labs).problems();
        var errors = 0;
        for (JsonNode problem : problems) {
            spec.commandLine().getOut().println(line(problem));
            errors += problem.path("severity").asText().equalsIgnoreCase("error") ? 1 : 0;
        }
        return errors > 0 ? 1 : 0;
    }

    static String line(JsonNode problem) {
        var severity = problem.path("severity").asText("error").toLowerCase(Locale.ROOT);
        return severity + ": " + problem.path("text").asText();
    }
}
