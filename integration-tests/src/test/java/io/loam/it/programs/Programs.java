package io.loam.it.programs;

import io.loam.agent.AgentJvm;
import io.loam.cli.lab.LabProcess;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Pattern;
import java.util.zip.ZipEntry;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import org.junit.platform.launcher.LauncherSession;
import org.junit.platform.launcher.LauncherSessionListener;

/// The programs of this build as `./loam` lays them out for users: their jar files in one folder, without
/// signatures and their digests, and beside them the AOT caches of agents and labs and the class archive of
/// commands. Made once per build, before the first test in namespaces; from then on the class path that this JVM
/// says it has, and which labs give to agents and commands, is that of the folder. So tests start what users start,
/// and some hundred agents start in half the time.
///
/// Several JVMs may run tests at once: one makes the folder, the others wait for it.
public final class Programs implements LauncherSessionListener {
    private static final String CLASS_PATH = "java.class.path";

    /// Set for tests in namespaces only: the top of the source tree.
    private static final String TOP = "loam.top";

    private static final Pattern SIGNATURE = Pattern.compile("META-INF/[^/]+\\.(SF|RSA|DSA|EC)");
    private static final String MANIFEST = "META-INF/MANIFEST.MF";
    private static final String LIBRARIES = "META-INF/native/";
    private static final long TRAINING_SECONDS = 240;
    private static final String JAVA =
            Path.of(System.getProperty("java.home"), "bin", "java").toString();

    private static final List<String> COMMAND_FLAGS = List.of(
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:+UseCompactObjectHeaders",
            "--enable-native-access=ALL-UNNAMED",
            "--sun-misc-unsafe-memory-access=allow");

    /// Classes of tests are not in jar files: of this JVM before {@link #launcherSessionOpened}.
    private static final String OF_TESTS = System.getProperty(CLASS_PATH);

    /// Called by JUnit, which finds this class in `META-INF/services`.
    @Override
    public void launcherSessionOpened(LauncherSession session) {
        if (System.getProperty(TOP) != null) {
            try {
                System.setProperty(CLASS_PATH, layOut());
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException("interrupted", e);
            }
        }
    }

    /// Where the jar files and the caches are, and what the trainings for these said (`training-….log`).
    public static Path folder() {
        return Path.of(System.getProperty(TOP), "integration-tests", "target", "programs");
    }

    /// Of all programs of ours: jar files only, in the order of the build's class path.
    public static String classPath() {
        return System.getProperty(CLASS_PATH);
    }

    /// With the classes of tests.
    public static String classPathOfTests() {
        return OF_TESTS;
    }

    /// Of the JVM of a command, as `./loam` gives them.
    public static List<String> commandFlags() {
        var flags = new ArrayList<>(COMMAND_FLAGS);
        var archive = folder().resolve("command.jsa");
        if (Files.exists(archive)) {
            flags.addAll(List.of("-XX:SharedArchiveFile=" + archive, "-Xlog:cds*=off", "-Xlog:aot*=off"));
        }
        return flags;
    }

    private static String layOut() throws IOException, InterruptedException {
        var folder = Files.createDirectories(folder());
        try (var file = FileChannel.open(folder.resolve("lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                var _ = file.lock()) {
            var sources = new ArrayList<Path>();
            for (var entry : OF_TESTS.split(File.pathSeparator)) {
                if (entry.endsWith(".jar")) {
                    sources.add(Path.of(entry));
                }
            }
            var classPath = String.join(
                    File.pathSeparator,
                    sources.stream()
                            .map(source -> folder.resolve(source.getFileName()).toString())
                            .toList());
            var made = madeOf(sources);
            var stamp = folder.resolve("made-of");
            if (!Files.exists(stamp) || !Files.readString(stamp).equals(made)) {
                Files.deleteIfExists(stamp);
                for (var cache : List.of("agent.aot", "lab.aot", "command.jsa")) {
                    Files.deleteIfExists(folder.resolve(cache));
                }
                var libraries = Files.createDirectories(folder.resolve("native"));
                var ofThisMachine =
                        System.getProperty("os.arch").equals("aarch64") ? "-linux-aarch_64.jar" : "-linux-x86_64.jar";
                for (var source : sources) {
                    copy(source, folder.resolve(source.getFileName()));
                    if (source.toString().endsWith(ofThisMachine)) {
                        unpackLibraries(source, libraries);
                    }
                }
                train(folder, classPath);
                Files.writeString(stamp, made);
            }
            return classPath;
        }
    }

    /// Something else as soon as one of the files or the JVM is another.
    private static String madeOf(List<Path> sources) throws IOException {
        var made = new StringBuilder(Runtime.version() + "\n");
        for (var source : sources) {
            made.append(source)
                    .append(' ')
                    .append(Files.size(source))
                    .append(' ')
                    .append(Files.getLastModifiedTime(source))
                    .append('\n');
        }
        return made.toString();
    }

    /// Native libraries of this machine beside the jar files, see [AgentJvm#libraryFlags].
    private static void unpackLibraries(Path jar, Path folder) throws IOException {
        try (var from = new ZipFile(jar.toFile())) {
            for (var entries = from.entries(); entries.hasMoreElements(); ) {
                var entry = entries.nextElement();
                if (entry.getName().startsWith(LIBRARIES) && entry.getName().endsWith(".so")) {
                    try (var content = from.getInputStream(entry)) {
                        Files.copy(
                                content,
                                folder.resolve(entry.getName().substring(LIBRARIES.length())),
                                StandardCopyOption.REPLACE_EXISTING);
                    }
                }
            }
        }
    }

    private static void copy(Path source, Path copy) throws IOException {
        try (var from = new ZipFile(source.toFile());
                var to = new ZipOutputStream(Files.newOutputStream(copy))) {
            to.setLevel(0);
            for (var entries = from.entries(); entries.hasMoreElements(); ) {
                var entry = entries.nextElement();
                if (!SIGNATURE.matcher(entry.getName()).matches()) {
                    var same = new ZipEntry(entry.getName());
                    same.setTime(entry.getTime());
                    to.putNextEntry(same);
                    try (var content = from.getInputStream(entry)) {
                        if (entry.getName().equals(MANIFEST)) {
                            to.write(mainAttributes(content.readAllBytes()));
                        } else {
                            content.transferTo(to);
                        }
                    }
                    to.closeEntry();
                }
            }
        }
    }

    /// What stands before the first empty line: the rest are digests of single files, for signatures.
    private static byte[] mainAttributes(byte[] manifest) {
        var text = new String(manifest, StandardCharsets.UTF_8).replace("\r\n", "\n");
        int end = text.indexOf("\n\n");
        return (end < 0 ? text : text.substring(0, end + 2)).getBytes(StandardCharsets.UTF_8);
    }

    /// As the functions `train_…` of `./loam`. Without the caches programs start as well, only later.
    private static void train(Path folder, String classPath) throws IOException, InterruptedException {
        var agent = new ArrayList<>(
                List.of("unshare", "--net", "sh", "-c", "ip link set lo up && exec \"$@\"", "sh", JAVA));
        agent.addAll(AgentJvm.flags(2));
        agent.addAll(AgentJvm.libraryFlags(classPath));
        agent.addAll(List.of(
                "-XX:AOTCacheOutput=" + folder.resolve("agent.aot"), "-cp", classPath, "io.loam.agent.AgentTraining"));
        run(agent, folder.resolve("training-agent.log"));
        var command = new ArrayList<>(List.of(JAVA));
        command.addAll(COMMAND_FLAGS);
        command.addAll(List.of(
                "-XX:ArchiveClassesAtExit=" + folder.resolve("command.jsa"),
                "-cp",
                classPath,
                "io.loam.cli.CommandTraining"));
        run(command, folder.resolve("training-command.log"));
        var lab = new ArrayList<>(List.of(JAVA));
        lab.addAll(LabProcess.flags(classPath));
        lab.addAll(List.of(
                "-XX:AOTCacheOutput=" + folder.resolve("lab.aot"), "-cp", classPath, "io.loam.lab.LabTraining"));
        run(lab, folder.resolve("training-lab.log"));
    }

    private static void run(List<String> command, Path log) throws IOException, InterruptedException {
        var training = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectInput(Path.of("/dev/null").toFile())
                .redirectOutput(Redirect.to(log.toFile()))
                .start();
        if (!training.waitFor(TRAINING_SECONDS, TimeUnit.SECONDS)) {
            training.destroyForcibly();
        }
    }
}
