package io.loam.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.cli.explain.WhyText;
import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(
        name = "why",
        mixinStandardHelpOptions = true,
        description = {
            "Whether pod A may connect to B, hop by hop, by the functions that the agents decide by.",
            "Exit code: 0 allowed, 1 refused (or not by every endpoint), 2 no answer, 3 the probe came out differently."
        })
final class WhyCommand implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int REFUSED = 1;
    private static final int NO_ANSWER = 2;
    private static final int DIFFERS = 3;

    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Parameters(index = "0", paramLabel = "A", description = "[NAMESPACE/]NAME of a pod or Deployment.")
    private String from = "";

    @Parameters(
            index = "1",
            paramLabel = "B[:PORT]",
            description = "A host name, an address, NAMESPACE/NAME of a pod or service, or a pod's name.")
    private String to = "";

    @Option(names = "--probe", description = "Also open the connection from A, and compare.")
    private boolean probe;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORMAT",
            defaultValue = "text",
            description = "${COMPLETION-CANDIDATES} (default: text)")
    private Format format = Format.text;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    /// Spelled as users type them.
    enum Format {
        text,
        json
    }

    WhyCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var answer = ask();
        var out = spec.commandLine().getOut();
        out.print(
                switch (format) {
                    case text -> WhyText.render(answer);
                    case json -> json(answer);
                });
        out.flush();
        if (probe && !answer.path("probe").path("agrees").asBoolean()) {
            return DIFFERS;
        }
        return answer.path("verdict").asText().equals("allowed") ? 0 : REFUSED;
    }

    /// No answer is not the answer "refused".
    private JsonNode ask() throws LabException {
        try {
            return lab.in(labs).why(from, to, probe);
        } catch (LabException e) {
            throw new LabException(String.valueOf(e.getMessage()), NO_ANSWER);
        }
    }

    private static String json(JsonNode answer) {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(answer) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree that was read as JSON", e);
        }
    }
}
