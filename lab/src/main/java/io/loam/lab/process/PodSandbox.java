package io.loam.lab.process;

import io.loam.config.object.ContainerEnvironment;
import io.loam.config.object.ContainerEnvironment.PodFacts;
import io.loam.config.object.ContainerSpec;
import java.io.IOException;
import java.net.InetAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Map;

/// What containers of one pod find around them, laid out as files in the pod's directory: `etc/`, `work/` (where they
/// start), `logs/` and for each container a script `enter/NAME` that runs a command the way the container runs.
///
/// @param directory the pod's own
/// @param netns of the pod; the node's where the pod uses the network of its node
public record PodSandbox(Path directory, Path netns) {
    /// The same on every machine, whatever the shell that started the lab has.
    private static final String PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    /// Longest host name the kernel takes, less one as in Kubernetes.
    private static final int LONGEST_HOST_NAME = 63;

    /// Runs inside the new namespaces. `$1` the pod's files, `$2` host name, `$3` working directory, then the command.
    ///
    /// A file can only be laid over one that is there. Where the machine lacks one, or has a link to nowhere
    /// (resolv.conf without its resolver running), all of `/etc` is laid over, and the pod cannot write to it.
    private static final String INSIDE = """
            set -e
            for file in "$1"/*; do
                if [ ! -e "/etc/${file##*/}" ]; then
                    mount -t overlay -o "ro,lowerdir=$1:/etc" loam-etc /etc
                    break
                fi
            done
            for file in "$1"/*; do
                mount --bind "$file" "/etc/${file##*/}"
            done
            echo "$2" >/proc/sys/kernel/hostname
            cd "$3"
            shift 3
            exec "$@"
            """;

    /// Lays out the files anew.
    ///
    /// @param nameserver of the cluster
    public static PodSandbox create(Path directory, Path netns, PodFacts facts, InetAddress nameserver)
            throws IOException {
        var sandbox = new PodSandbox(directory, netns);
        var etc = Files.createDirectories(directory.resolve("etc"));
        Files.createDirectories(sandbox.work());
        Files.createDirectories(directory.resolve("logs"));
        var pod = facts.pod();
        var namespace = pod.meta().namespace();
        var hostName = hostName(facts);
        Files.writeString(etc.resolve("resolv.conf"), """
                search %s.svc.cluster.local svc.cluster.local cluster.local
                nameserver %s
                options ndots:5
                """.formatted(namespace, nameserver.getHostAddress()));
        var hosts = new StringBuilder("""
                127.0.0.1 localhost
                ::1 localhost ip6-localhost ip6-loopback
                """);
        var fullName = pod.spec().subdomain().isEmpty()
                ? ""
                : hostName + "." + pod.spec().subdomain() + "." + namespace + ".svc.cluster.local ";
        facts.podIps()
                .forEach(ip -> hosts.append(ip)
                        .append(' ')
                        .append(fullName)
                        .append(hostName)
                        .append('\n'));
        Files.writeString(etc.resolve("hosts"), hosts);
        Files.writeString(etc.resolve("hostname"), hostName + "\n");
        // Without this, programs on some distributions ask the machine's systemd-resolved instead of resolv.conf.
        Files.writeString(
                etc.resolve("nsswitch.conf"), "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n");
        Files.createDirectories(directory.resolve("enter"));
        for (var container : pod.spec().initContainers()) {
            sandbox.writeEntry(container, facts);
        }
        for (var container : pod.spec().containers()) {
            sandbox.writeEntry(container, facts);
        }
        return sandbox;
    }

    /// What to put before a command so that it runs as the container's own do; the caller's environment stays visible
    /// behind the container's.
    public List<String> enter(String container) {
        return List.of("/bin/sh", directory.resolve("enter").resolve(container).toString());
    }

    /// Standard output and standard error of all runs of a container.
    public Path log(String container) {
        return directory.resolve("logs").resolve(container + ".log");
    }

    Path work() {
        return directory.resolve("work");
    }

    private void writeEntry(ContainerSpec container, PodFacts facts) throws IOException {
        var environment = ContainerEnvironment.of(
                container.env(), facts, Map.of("PATH", PATH, "HOME", work().toString(), "HOSTNAME", hostName(facts)));
        var variables = new StringBuilder();
        environment
                .variables()
                .forEach((name, value) -> variables.append(" \\\n    ").append(quoted(name + "=" + value)));
        var workingDir = container.workingDir().isEmpty() ? work().toString() : container.workingDir();
        var script = directory.resolve("enter").resolve(container.name());
        Files.writeString(script, """
                #!/bin/sh
                # Runs a command as container %s of pod %s/%s runs: its network, host name, files in /etc, environment.
                exec env%s \\
                    nsenter --net=%s \\
                    unshare --mount --uts --propagation slave \\
                    /bin/sh -c %s sh %s %s %s "$@"
                """.formatted(
                        container.name(),
                        facts.pod().meta().namespace(),
                        facts.pod().meta().name(),
                        variables,
                        quoted(netns.toString()),
                        quoted(INSIDE),
                        quoted(directory.resolve("etc").toString()),
                        quoted(hostName(facts)),
                        quoted(workingDir)));
        Files.setPosixFilePermissions(script, PosixFilePermissions.fromString("rwx------"));
    }

    private static String hostName(PodFacts facts) {
        var spec = facts.pod().spec();
        var name = spec.hostname().isEmpty() ? facts.pod().meta().name() : spec.hostname();
        return name.length() <= LONGEST_HOST_NAME ? name : name.substring(0, LONGEST_HOST_NAME);
    }

    private static String quoted(String text) {
        return "'" + text.replace("'", "'\\''") + "'";
    }
}
