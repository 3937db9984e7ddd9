package io.loam.lab;

import ch.qos.logback.classic.Level;
import io.loam.lab.node.AgentSetup;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// `up NAME [--ca=DIR] FILE..` runs a lab until it is told to end (SIGTERM), `down NAME` ends one and clears away what
/// is left.
public final class Main {
    private static final Logger LOG = LoggerFactory.getLogger(Main.class);

    private static final String CA = "--ca=";

    private Main() {}

    public static void main(String[] args) {
        try {
            System.exit(run(args));
        } catch (IOException | IllegalArgumentException e) {
            LOG.debug("failed", e);
            System.err.println("loam: " + e.getMessage());
            System.exit(1);
        }
    }

    private static int run(String[] args) throws IOException {
        if (args.length >= 3 && args[0].equals("up")) {
            var authority = args[2].startsWith(CA) ? Path.of(args[2].substring(CA.length())) : null;
            int firstFile = authority == null ? 2 : 3;
            up(
                    args[1],
                    Arrays.stream(args, firstFile, args.length).map(Path::of).toList(),
                    authority);
            return 0;
        }
        if (args.length == 2 && args[0].equals("down")) {
            Lab.down(args[1]);
            return 0;
        }
        System.err.println("usage: up NAME [--ca=DIR] FILE.. | down NAME");
        return 2;
    }

    private static void up(String name, List<Path> files, @Nullable Path authority) throws IOException {
        ((ch.qos.logback.classic.Logger) LoggerFactory.getLogger(Logger.ROOT_LOGGER_NAME)).setLevel(Level.INFO);
        var lab = Lab.start(name, files, AgentSetup.DEFAULT, authority);
        LabApi api;
        try {
            api = LabApi.start(lab);
        } catch (IOException e) {
            lab.stop();
            throw e;
        }
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(lab, api), "lab-stop"));
        try {
            new CountDownLatch(1).await(); // a signal ends the process
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void stop(Lab lab, LabApi api) {
        api.close();
        try {
            lab.stop();
        } catch (IOException e) {
            LOG.error("lab={} left something behind: run 'loam down {}'", lab.name(), lab.name(), e);
        }
    }
}
