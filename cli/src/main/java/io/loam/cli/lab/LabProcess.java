package io.loam.cli.lab;

import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Runs the lab's program, which is on the same class path as this command but belongs to another module.
public final class LabProcess {
    private static final String MAIN = "io.loam.lab.Main";

    private final LabDirectory labs;
    private final String main;

    public LabProcess(LabDirectory labs) {
        this(labs, MAIN);
    }

    /// @param main the class that is run in place of the lab's
    LabProcess(LabDirectory labs, String main) {
        this.labs = labs;
        this.main = main;
    }

    /// Starts a lab that outlives this command: in a session of its own, so that ctrl-C and the end of the
    /// terminal do not reach it.
    ///
    /// @param files absolute
    /// @param authority absolute; a directory with the keys of a CA, or null: the lab makes its own
    public Process start(String lab, List<Path> files, @Nullable Path authority) throws LabException {
        var command = new ArrayList<String>(List.of("setsid"));
        command.addAll(java("up", lab));
        if (authority != null) {
            command.add("--ca=" + authority);
        }
        files.forEach(file -> command.add(file.toString()));
        var log = labs.log(lab);
        try {
            Files.createDirectories(labs.root());
            Files.createDirectories(
                    log.getParent(),
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------")));
            return new ProcessBuilder(command)
                    .directory(Path.of("/").toFile())
                    .redirectInput(Path.of("/dev/null").toFile())
                    .redirectErrorStream(true)
                    .redirectOutput(Redirect.appendTo(log.toFile())) // another process may be the lab already
                    .start();
        } catch (IOException e) {
            throw new LabException("cannot start the lab's process: " + e.getMessage());
        }
    }

    /// Stops a lab and removes what it made, whether its process still lives or not.
    ///
    /// @return the exit code: 0 when nothing is left
    public int down(String lab) throws LabException {
        try {
            // A session of its own: ctrl-C must not stop the clearing away half-way.
            var command = new ArrayList<String>(List.of("setsid", "--wait"));
            command.addAll(java("down", lab));
            return new ProcessBuilder(command).inheritIO().start().waitFor();
        } catch (IOException e) {
            throw new LabException("cannot run the lab's program: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new LabException("interrupted; 'loam down " + lab + "' may be still at work");
        }
    }

    private List<String> java(String verb, String lab) {
        return List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:+UseCompactObjectHeaders",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow",
                "-cp",
                System.getProperty("java.class.path"),
                main,
                verb,
                lab);
    }
}
