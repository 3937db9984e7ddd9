package io.loam.cli.lab;

import java.io.File;
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

    /// Name of the AOT cache (JEP 514) of labs.
    private static final String CACHE = "lab.aot";

    /// How the command's jar file is called, whatever its version.
    private static final String JAR = "cli-";

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
        var classPath = System.getProperty("java.class.path");
        var command = new ArrayList<String>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(flags(classPath));
        command.addAll(List.of("-cp", classPath, main, verb, lab));
        return command;
    }

    /// Of the JVM of a lab. With the AOT cache that the build's `io.loam.lab.LabTraining` leaves beside the
    /// command's jar file, if there is one: a lab is up after half the work. One that does not fit, because jar
    /// files, flags or the JVM have changed, is passed over by the JVM.
    ///
    /// @param classPath of the lab; the JVM wants the one that the cache was made with
    public static List<String> flags(String classPath) {
        var flags = new ArrayList<>(List.of(
                "-XX:+UseSerialGC",
                "-XX:+UseCompactObjectHeaders",
                "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow"));
        for (var entry : classPath.split(File.pathSeparator)) {
            var jar = Path.of(entry).toAbsolutePath();
            if (entry.endsWith(".jar") && jar.getFileName().toString().startsWith(JAR)) {
                var cache = jar.resolveSibling(CACHE);
                if (Files.isRegularFile(cache)) {
                    flags.add("-XX:AOTCache=" + cache);
                }
            }
        }
        return flags;
    }
}
