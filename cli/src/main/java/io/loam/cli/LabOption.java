package io.loam.cli;

import io.loam.cli.lab.LabDirectory;
import io.loam.cli.lab.LabException;
import io.loam.cli.lab.RunningLab;
import java.util.Optional;
import picocli.CommandLine.Option;

/// The lab a command is about. Mixed into every command that talks to one.
final class LabOption {
    @Option(
            names = "--lab",
            paramLabel = "NAME",
            description = "Which lab (default: the only one running, else 'default').")
    private Optional<String> name = Optional.empty();

    RunningLab in(LabDirectory labs) throws LabException {
        return labs.meant(name);
    }
}
