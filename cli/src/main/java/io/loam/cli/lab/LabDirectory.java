package io.loam.cli.lab;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.regex.Pattern;

/// The directory where every lab of this machine has one of its own, `/run/loam` outside of tests.
///
/// @param root holds `NAME/api.json`, `NAME/daemon.log` and whatever the lab keeps there
public record LabDirectory(Path root) {
    public static final LabDirectory OF_THIS_MACHINE = new LabDirectory(Path.of("/run/loam"));

    /// The name becomes part of the names of links and namespaces, of which the kernel allows 15 characters for a
    /// link.
    private static final Pattern NAME = Pattern.compile("[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?");

    private static final ObjectMapper JSON = new ObjectMapper();

    public static String checkedName(String name) throws LabException {
        if (!NAME.matcher(name).matches()) {
            throw new LabException(
                    "lab name: " + name + " (expected: 1 to 12 of a-z, 0-9 and '-', a letter or digit at both ends)",
                    2);
        }
        return name;
    }

    public Path log(String lab) {
        return root.resolve(lab).resolve("daemon.log");
    }

    /// Every lab that has left something here, running or not, in order of names.
    public List<String> names() throws LabException {
        if (!Files.isDirectory(root)) {
            return List.of();
        }
        try (var entries = Files.list(root)) {
            return entries.filter(Files::isDirectory)
                    .map(path -> path.getFileName().toString())
                    .filter(name -> NAME.matcher(name).matches())
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new LabException("cannot read " + root + ": " + e.getMessage());
        }
    }

    /// The lab of this name, if its process lives and has announced its API.
    public Optional<RunningLab> running(String name) throws LabException {
        var record = root.resolve(name).resolve("api.json");
        try {
            var json = JSON.readTree(Files.readAllBytes(record));
            var pid = json.path("pid").asLong(-1);
            var alive =
                    pid > 0 && ProcessHandle.of(pid).map(ProcessHandle::isAlive).orElse(false);
            var port = json.path("port").asInt(-1);
            return alive && port > 0
                    ? Optional.of(new RunningLab(name, port, json.path("token").asText()))
                    : Optional.empty();
        } catch (NoSuchFileException | JsonProcessingException e) {
            return Optional.empty(); // not announced, or being announced
        } catch (IOException e) {
            throw new LabException("cannot read " + record + ": " + e.getMessage());
        }
    }

    /// The lab that a command means when it names none: the only one running, else the one called `default`.
    ///
    /// @param name what the user said, empty if nothing
    public RunningLab meant(Optional<String> name) throws LabException {
        if (name.isPresent()) {
            return running(checkedName(name.get()))
                    .orElseThrow(() -> new LabException("no lab '" + name.get() + "' is running" + startHint()));
        }
        var labs = new ArrayList<RunningLab>();
        for (var candidate : names()) {
            running(candidate).ifPresent(labs::add);
        }
        return switch (labs.size()) {
            case 0 -> throw new LabException("no lab is running" + startHint());
            case 1 -> labs.getFirst();
            default ->
                labs.stream()
                        .filter(lab -> lab.name().equals("default"))
                        .findFirst()
                        .orElseThrow(() -> new LabException(
                                "several labs are running: say which with --lab "
                                        + String.join(
                                                "|",
                                                labs.stream()
                                                        .map(RunningLab::name)
                                                        .toList()),
                                2));
        };
    }

    private static String startHint() {
        return ": start one with 'loam up FILE'";
    }
}
