package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabProcess;
import io.loam.cli.lab.LabStart;
import java.util.concurrent.Callable;
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
        System.exit(commandLine(LabDirectory.OF_THIS_MACHINE).execute(args));
    }

    static CommandLine commandLine(LabDirectory labs) {
        var process = new LabProcess(labs);
        return new CommandLine(new Main())
                .addSubcommand(new UpCommand(labs, new LabStart(labs, process)))
                .addSubcommand(new DownCommand(labs, process))
                .addSubcommand(new GetCommand(labs))
                .addSubcommand(new DescribeCommand(labs))
                .addSubcommand(new LogLevelCommand(labs))
                .addSubcommand(new AccessLogCommand(labs))
                .addSubcommand(new UpgradeCommand(labs))
                .addSubcommand(new ExecCommand(labs))
                .addSubcommand(new LogsCommand(labs))
                .addSubcommand(new ProblemsCommand(labs))
                .addSubcommand(new WhyCommand(labs))
                .addSubcommand(new ProveCommand(labs))
                .addSubcommand(new ExplainCommand())
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler(new CommandFailure());
    }

    @Override
    public Integer call() {
        throw new ParameterException(spec.commandLine(), "which command?");
    }
}
