package io.loam.cli;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.util.concurrent.Callable;
import org.snakeyaml.engine.v2.api.Dump;
import org.snakeyaml.engine.v2.api.DumpSettings;
import org.snakeyaml.engine.v2.common.FlowStyle;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "get", mixinStandardHelpOptions = true, description = "List what is in a lab.")
final class GetCommand implements Callable<Integer> {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Parameters(index = "0", paramLabel = "KIND", description = "${COMPLETION-CANDIDATES}")
    private Kind kind = Kind.pods;

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORMAT",
            defaultValue = "table",
            description = "${COMPLETION-CANDIDATES} (default: table)")
    private Format format = Format.table;

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    /// Spelled as users type them.
    enum Kind {
        pods,
        services,
        workloads;

        private Table table() {
            return switch (this) {
                case pods -> Table.of("namespace", "name", "ready", "phase", "node", "ips", "mesh");
                case services -> Table.of("namespace", "name", "type", "addresses", "ports", "endpoints");
                case workloads -> Table.of("namespace", "name", "node", "ips", "protocol", "status", "identity");
            };
        }

        private Table wideTable() {
            return switch (this) {
                case pods -> table().with("serviceAccount", "owner", "labels");
                case services -> table().with("selector");
                case workloads -> table().with("services", "uid");
            };
        }
    }

    enum Format {
        table,
        wide,
        json,
        yaml
    }

    GetCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var rows = lab.in(labs).list(kind.name());
        spec.commandLine().getOut().print(render(kind, format, rows));
        spec.commandLine().getOut().flush();
        return 0;
    }

    static String render(Kind kind, Format format, JsonNode rows) {
        return switch (format) {
            case table -> kind.table().render(rows);
            case wide -> kind.wideTable().render(rows);
            case json -> json(rows);
            case yaml -> yaml(rows);
        };
    }

    private static String json(JsonNode rows) {
        try {
            return JSON.writerWithDefaultPrettyPrinter().writeValueAsString(rows) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalStateException("a tree that was read as JSON", e);
        }
    }

    private static String yaml(JsonNode rows) {
        var settings =
                DumpSettings.builder().setDefaultFlowStyle(FlowStyle.BLOCK).build();
        return new Dump(settings).dumpToString(JSON.convertValue(rows, Object.class));
    }
}
