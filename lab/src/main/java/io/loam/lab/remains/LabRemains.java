package io.loam.lab.remains;

import io.loam.lab.command.Command;
import io.loam.lab.network.LabName;
import io.loam.lab.remains.ProcessTable.ProcessId;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// All that one lab has on this machine: its process, the processes in its namespaces, the namespaces (and with them
/// links, routes and rules), mounts, its directory. Blocking; touches nothing of other labs.
public final class LabRemains {
    /// Name of the file that says which process is the lab's: number and start time.
    private static final String DAEMON_FILE = "daemon.pid";

    /// Locked while a process claims a lab; of no lab's name, so it is nobody's remains.
    private static final String CLAIM_LOCK = ".claim";

    private static final Object CLAIMING = new Object();

    private static final FileAttribute<Set<PosixFilePermission>> ONLY_OWNER =
            PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

    /// The lab's process ends its parts in order; the rest is done here.
    private static final Duration DAEMON_GRACE = Duration.ofSeconds(5);

    /// All of it is going to be thrown away, so programs need not finish what they are at.
    private static final Duration PROCESS_GRACE = Duration.ofSeconds(1);

    private final LabName lab;

    private LabRemains(LabName lab) {
        this.lab = lab;
    }

    public static LabRemains of(LabName lab) {
        return new LabRemains(lab);
    }

    /// Every lab that has left a directory or a namespace, running or not.
    public static Set<String> labs() throws IOException {
        var labs = new TreeSet<String>();
        for (var entry : entries(LabName.LABS)) {
            if (LabName.isName(entry)) {
                labs.add(entry);
            }
        }
        for (var netns : entries(LabName.NAMESPACES)) {
            owner(netns).ifPresent(labs::add);
        }
        return labs;
    }

    private static Optional<String> owner(String netns) {
        if (!netns.startsWith("loam-")) {
            return Optional.empty();
        }
        var dot = netns.indexOf('.');
        var head = dot < 0 ? netns : netns.substring(0, dot);
        var name = head.substring("loam-".length(), Math.max("loam-".length(), head.lastIndexOf('-')));
        return LabName.isName(name) && new LabName(name).owns(netns) ? Optional.of(name) : Optional.empty();
    }

    /// Writes down that the calling process is the lab's. Of several that ask at once one gets it.
    ///
    /// @throws IOException also if a process that lives has it, this one included
    public void claim() throws IOException {
        Files.createDirectories(LabName.LABS);
        synchronized (CLAIMING) { // a file lock keeps other processes out, but not other threads
            try (var file = FileChannel.open(
                            LabName.LABS.resolve(CLAIM_LOCK), StandardOpenOption.CREATE, StandardOpenOption.WRITE);
                    var _ = file.lock()) {
                var daemon = daemon();
                if (daemon.isPresent() && daemon.get().isAlive()) {
                    throw new IOException("lab " + lab + " is already running (process "
                            + daemon.get().pid() + "): stop it with 'loam down " + lab + "'");
                }
                Files.createDirectories(lab.stateDir(), ONLY_OWNER);
                var self = ProcessId.of(ProcessHandle.current().pid());
                Files.writeString(file(DAEMON_FILE), self.pid() + " " + self.startTicks() + "\n");
            }
        }
    }

    /// Ends and deletes everything, what a live process of the lab holds included.
    ///
    /// @throws IOException if something could not be removed; what could be is gone then, and calling again goes on
    public void remove() throws IOException {
        var daemon = daemon();
        if (daemon.isPresent() && daemon.get().pid() != ProcessHandle.current().pid()) {
            var process = daemon.get();
            ProcessTable.end(() -> process.isAlive() ? List.of(process) : List.of(), DAEMON_GRACE);
        }
        removeWhatIsLeft();
    }

    /// As {@link #remove}, but for the lab's own process.
    public void removeWhatIsLeft() throws IOException {
        var stubborn = ProcessTable.end(this::processes, PROCESS_GRACE);
        var script = new StringBuilder();
        namespaces()
                .forEach(
                        netns -> script.append("ip netns delete ").append(netns).append('\n'));
        Command.script(script.toString());
        unmount();
        deleteDirectory(lab.stateDir());
        if (!stubborn.isEmpty()) {
            throw new IOException("processes of lab " + lab + " that SIGKILL did not end: " + stubborn);
        }
    }

    /// Ends what processes of an earlier life of the lab are left, and its namespaces, but leaves its directory.
    public void removeNamespaces() throws IOException {
        ProcessTable.end(this::processes, PROCESS_GRACE);
        var script = new StringBuilder();
        namespaces()
                .forEach(
                        netns -> script.append("ip netns delete ").append(netns).append('\n'));
        Command.script(script.toString());
    }

    /// Names of the lab's network namespaces.
    public List<String> namespaces() throws IOException {
        return entries(LabName.NAMESPACES).stream().filter(lab::owns).sorted().toList();
    }

    /// The processes in the lab's namespaces. The lab's own process is not one of them: it only visits.
    public List<ProcessId> processes() throws IOException {
        var inodes = namespaces().stream()
                .map(netns -> ProcessTable.inode(LabName.netnsPath(netns)))
                .flatMap(inode -> inode.isPresent() ? Stream.of(inode.getAsLong()) : null)
                .collect(Collectors.toSet());
        var machine = ProcessTable.inode(Path.of("/proc/self/ns/net"));
        machine.ifPresent(inodes::remove); // a name whose namespace was already deleted may show the machine's own
        return ProcessTable.inNetworks(inodes);
    }

    private Optional<ProcessId> daemon() throws IOException {
        try {
            var fields = Files.readString(file(DAEMON_FILE)).strip().split(" ");
            return Optional.of(new ProcessId(Long.parseLong(fields[0]), Long.parseLong(fields[1])));
        } catch (NoSuchFileException e) {
            return Optional.empty();
        } catch (NumberFormatException | ArrayIndexOutOfBoundsException e) {
            throw new IOException(
                    file(DAEMON_FILE) + ": not a process and its start time: delete it once its process is gone", e);
        }
    }

    /// Deepest first.
    private void unmount() throws IOException {
        var prefix = lab.stateDir() + "/";
        var mounts = new ArrayList<String>();
        for (var line : Files.readAllLines(Path.of("/proc/self/mounts"), StandardCharsets.UTF_8)) {
            var target = line.split(" ")[1];
            if (target.startsWith(prefix)) {
                mounts.add(target);
            }
        }
        for (var mount : mounts.reversed()) {
            Command.run(List.of("umount", "--lazy", mount));
        }
    }

    private Path file(String name) {
        return lab.stateDir().resolve(name);
    }

    private static List<String> entries(Path directory) throws IOException {
        if (!Files.isDirectory(directory)) {
            return List.of();
        }
        try (var entries = Files.list(directory)) {
            return entries.map(path -> path.getFileName().toString()).toList();
        }
    }

    private static void deleteDirectory(Path directory) throws IOException {
        if (!Files.exists(directory)) {
            return;
        }
        Files.walkFileTree(directory, new SimpleFileVisitor<>() {
            @Override
            public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                Files.deleteIfExists(file);
                return FileVisitResult.CONTINUE;
            }

            @Override
            public FileVisitResult visitFileFailed(Path file, IOException e) throws IOException {
                if (e instanceof NoSuchFileException) {
                    return FileVisitResult.CONTINUE;
                }
                throw e;
            }

            @Override
            public FileVisitResult postVisitDirectory(Path visited, @Nullable IOException e) throws IOException {
                if (e != null) {
                    throw e;
                }
                Files.deleteIfExists(visited);
                return FileVisitResult.CONTINUE;
            }
        });
    }
}
