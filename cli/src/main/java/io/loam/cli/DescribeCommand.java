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

@Command(
        name = "describe",
        mixinStandardHelpOptions = true,
        description = "One object in full as agents know it, with what applies to it.")
final class DescribeCommand implements Callable<Integer> {
    private final LabDirectory labs;

    @Mixin
    private LabOption lab = new LabOption();

    @Parameters(index = "0", paramLabel = "KIND", description = "${COMPLETION-CANDIDATES}")
    private Kind kind = Kind.workload;

    @Parameters(
            index = "1",
            paramLabel = "NAME",
            description = "[NAMESPACE/]NAME; of a certificate its identity, of a connection its source ADDRESS:PORT.")
    private String name = "";

    @Option(
            names = {"-o", "--output"},
            paramLabel = "FORMAT",
            defaultValue = "yaml",
            description = "${COMPLETION-CANDIDATES} (default: yaml)")
    private Format format = Format.yaml;

    @Option(names = "--agent", paramLabel = "NODE", description = "Ask only the agent of this node.")
    private Optional<String> agent = Optional.empty();

    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    /// Spelled as users type them: as for `get`, or in the singular.
    enum Kind {
        workload,
        workloads,
        service,
        services,
        policy,
        policies,
        certificate,
        certificates,
        connection,
        connections
    }

    enum Format {
        yaml,
        json
    }

    DescribeCommand(LabDirectory labs) {
        this.labs = labs;
    }

    @Override
    public Integer call() throws LabException {
        var agents = AgentViews.of(lab.in(labs), agent);
        agents.failures().forEach(spec.commandLine().getErr()::println);
        var found = find(agents);
        spec.commandLine()
                .getOut()
                .print(
                        switch (format) {
                            case yaml -> Documents.yaml(found);
                            case json -> Documents.json(found);
                        });
        spec.commandLine().getOut().flush();
        return agents.failures().isEmpty() ? 0 : 1;
    }

    private JsonNode find(AgentViews agents) throws LabException {
        return switch (kind) {
            case workload, workloads -> agents.workload(name);
            case service, services -> agents.service(name);
            case policy, policies -> agents.policy(name);
            case certificate, certificates -> agents.certificate(name);
            case connection, connections -> agents.connection(name);
        };
    }
}
