package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabProcess;
import io.loam.cli.lab.LabStart;
import java.util.LinkedHashMap;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Spec;

/// `loam`: parses the command line, wires the subcommands.
@Command(
        name = "loam",
        mixinStandardHelpOptions = true,
        version = "loam 0.1.0",
        description = "A service mesh without sidecars, here on one machine.",
        synopsisSubcommandLabel = "COMMAND")
public final class Main implements Callable<Integer> {
    @Spec
    @SuppressWarnings("NullAway.Init") // set by picocli before the first call
    private CommandSpec spec;

    public static void main(String[] args) {
        System.exit(commandLine(LabDirectory.OF_THIS_MACHINE, args).execute(args));
    }

    /// Knows all subcommands, unless the first word is one of them: then only that, since each costs a command
    /// some milliseconds at its start.
    ///
    /// @param args what will be executed
    static CommandLine commandLine(LabDirectory labs, String... args) {
        var process = new LabProcess(labs);
        var subcommands = new LinkedHashMap<String, Supplier<Object>>();
        subcommands.put("up", () -> new UpCommand(labs, new LabStart(labs, process)));
        subcommands.put("down", () -> new DownCommand(labs, process));
        subcommands.put("get", () -> new GetCommand(labs));
        subcommands.put("describe", () -> new DescribeCommand(labs));
        subcommands.put("log-level", () -> new LogLevelCommand(labs));
        subcommands.put("access-log", () -> new AccessLogCommand(labs));
        subcommands.put("renew", () -> new RenewCommand(labs));
        subcommands.put("upgrade", () -> new UpgradeCommand(labs));
        subcommands.put("exec", () -> new ExecCommand(labs));
        subcommands.put("logs", () -> new LogsCommand(labs));
        subcommands.put("problems", () -> new ProblemsCommand(labs));
        subcommands.put("why", () -> new WhyCommand(labs));
        subcommands.put("prove", () -> new ProveCommand(labs));
        subcommands.put("explain", ExplainCommand::new);
        if (args.length > 0 && subcommands.containsKey(args[0])) {
            subcommands.keySet().retainAll(Set.of(args[0]));
        }
        var line = new CommandLine(new Main());
        subcommands.forEach((name, command) -> line.addSubcommand(name, command.get()));
        return line.setCaseInsensitiveEnumValuesAllowed(true).setExecutionExceptionHandler(new CommandFailure());
    }

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "which command?");
    }
}
