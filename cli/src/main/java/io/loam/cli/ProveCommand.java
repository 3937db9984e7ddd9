package io.loam.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.explain.ProofText;
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
        name = "prove",
        mixinStandardHelpOptions = true,
        description = {
            "Sends a marked HTTP request from pod A to B while the link between their nodes is recorded, and shows that"
                    + " the marker is not on the wire, the TLS of the flow that carried it, and who was at its ends.",
            "A gets a new tunnel for it, so that the handshake is in the recording; its open connections go on.",
            "Exit code: 0 proved, 1 not proved, 2 it could not be tried."
        })
final class ProveCommand implements Callable<Integer> {
    private static final int NOT_PROVED = 1;
    private static final int NOT_TRIED = 2;

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

    @Option(names = "--json", description = "The report as JSON.")
    private boolean json;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    ProveCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var answer = ask();
        var out = spec.commandLine().getOut();
        out.print(json ? Documents.json(answer) : ProofText.render(answer));
        out.flush();
        return answer.path("proved").asBoolean() ? 0 : NOT_PROVED;
    }

    private JsonNode ask() throws LabException {
        try {
            return lab.in(labs).prove(from, to);
        } catch (LabException e) {
            throw new LabException(String.valueOf(e.getMessage()), NOT_TRIED);
        }
    }
}
