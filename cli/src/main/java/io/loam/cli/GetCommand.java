package io.loam.cli;

import com.fasterxml.jackson.databind.JsonNode;
import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import java.util.Optional;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

@Command(name = "get", mixinStandardHelpOptions = true, description = "List what is in a lab.")
final class GetCommand implements Callable<Integer> {
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

    @Option(
            names = "--agent",
            paramLabel = "NODE",
            description = "As the agent of this node knows it (default: policies, certificates and connections of all"
                    + " agents; services and workloads as the control plane knows them).")
    private Optional<String> agent = Optional.empty();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    /// Spelled as users type them.
    enum Kind {
        pods,
        services,
        workloads,
        policies,
        certificates,
        connections;

        private Table table() {
            return switch (this) {
                case pods -> Table.of("namespace", "name", "ready", "phase", "node", "ips", "mesh");
                case services -> Table.of("namespace", "name", "type", "addresses", "ports", "endpoints");
                case workloads -> Table.of("namespace", "name", "node", "ips", "protocol", "status", "identity");
                case policies -> Table.of("namespace", "name", "scope", "action", "dryRun", "rules", "agents");
                case certificates -> Table.of("agent", "identity", "state", "expires", "serial");
                case connections ->
                    Table.of(
                            "agent",
                            "pod",
                            "direction",
                            "source",
                            "destination",
                            "bytesSent",
                            "bytesReceived",
                            "duration",
                            "identity");
            };
        }

        private Table wideTable() {
            return switch (this) {
                case pods -> table().with("serviceAccount", "owner", "labels");
                case services -> table().with("selector");
                case workloads -> table().with("services", "uid");
                case policies -> table();
                case certificates -> table().with("validFrom", "issuer", "chain", "roots");
                case connections ->
                    table().with("service", "protocol", "tunnelTarget", "sourceWorkload", "destinationWorkload");
            };
        }

        /// What agents know of it; empty for what only the lab knows.
        private Optional<JsonNode> of(AgentViews agents) {
            return switch (this) {
                case pods -> Optional.empty();
                case services -> Optional.of(agents.services());
                case workloads -> Optional.of(agents.workloads());
                case policies -> Optional.of(agents.policies());
                case certificates -> Optional.of(agents.certificates());
                case connections -> Optional.of(agents.connections());
            };
        }

        /// Whether the lab itself lists it, as the control plane knows it.
        private boolean isLabs() {
            return switch (this) {
                case pods, services, workloads -> true;
                case policies, certificates, connections -> false;
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
        if (agent.isEmpty() && kind.isLabs()) {
            print(lab.in(labs).list(kind.name()));
            return 0;
        }
        var agents = AgentViews.of(lab.in(labs), agent);
        print(kind.of(agents).orElseThrow(() -> new LabException("agents do not list " + kind, 2)));
        agents.failures().forEach(spec.commandLine().getErr()::println);
        return agents.failures().isEmpty() ? 0 : 1;
    }

    private void print(JsonNode rows) {
        spec.commandLine().getOut().print(render(kind, format, rows));
        spec.commandLine().getOut().flush();
    }

    static String render(Kind kind, Format format, JsonNode rows) {
        return switch (format) {
            case table -> kind.table().render(rows);
            case wide -> kind.wideTable().render(rows);
            case json -> Documents.json(rows);
            case yaml -> Documents.yaml(rows);
        };
    }
}
